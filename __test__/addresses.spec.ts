import { once } from 'node:events'
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import test, { type ExecutionContext } from 'ava'
import { closed, read } from './support/client.js'
import { Count } from './support/counts.js'
import { start } from './support/serve.js'
import { HAS_IPV6 } from './support/system.js'

/** A server that sends each client the addresses of its connection. */
async function mirror(t: ExecutionContext, listen: string | string[]) {
  const seen: { remote: string; local: string }[] = []
  const opened = new Count()
  const server = await start(t, {
    listen,
    open(conn) {
      seen.push({ remote: conn.remote, local: conn.local })
      conn.write(`${conn.remote} ${conn.local}`)
      opened.up()
    },
    message() {},
  })
  return { server, seen, opened }
}

/** What the mirror sends to a client of that address. */
async function look(host: string, port: number): Promise<{ text: string; port: number }> {
  const socket = net.connect({ host, port })
  await once(socket, 'connect')
  const from = socket.localPort as number
  const [chunk] = await once(socket, 'data')
  socket.end()
  await closed(socket)
  return { text: String(chunk), port: from }
}

test('port 0 picks a free port, and addresses shows it', async (t) => {
  const { server } = await mirror(t, 'tcp://127.0.0.1:0')
  t.is(server.addresses.length, 1)
  t.regex(server.addresses[0] ?? '', /^tcp:\/\/127\.0\.0\.1:[1-9]\d*$/)
  t.true(Object.isFrozen(server.addresses))
  const { text, port } = await look('127.0.0.1', server.port)
  t.is(text, `127.0.0.1:${port} 127.0.0.1:${server.port}`)
})

test('without a host a server listens on all addresses, and an IPv4 peer is shown as IPv4', async (t) => {
  const { server } = await mirror(t, 'tcp://:0')
  t.is(server.addresses.length, 1)
  const four = await look('127.0.0.1', server.port)
  t.is(four.text, `127.0.0.1:${four.port} 127.0.0.1:${server.port}`)
  if (!HAS_IPV6) return
  t.is(server.addresses[0], `tcp://[::]:${server.port}`)
  const six = await look('::1', server.port)
  t.is(six.text, `[::1]:${six.port} [::1]:${server.port}`)
})

test('0.0.0.0 is IPv4 only', async (t) => {
  const { server } = await mirror(t, 'tcp://0.0.0.0:0')
  t.is(server.addresses[0], `tcp://0.0.0.0:${server.port}`)
  const { text, port } = await look('127.0.0.1', server.port)
  t.is(text, `127.0.0.1:${port} 127.0.0.1:${server.port}`)
})

if (HAS_IPV6) {
  test('an IPv6 address is shown in brackets', async (t) => {
    const { server } = await mirror(t, 'tcp://[::1]:0')
    t.is(server.addresses[0], `tcp://[::1]:${server.port}`)
    const { text, port } = await look('::1', server.port)
    t.is(text, `[::1]:${port} [::1]:${server.port}`)
    await t.throwsAsync(look('127.0.0.1', server.port), { code: 'ECONNREFUSED' })
  })

  test('a link-local address shows its zone', async (t) => {
    // Node's clients need the interface's name, although the addresses of its servers show the number.
    for (const [name, addresses] of Object.entries(networkInterfaces())) {
      for (const each of addresses ?? []) {
        if (each.family !== 'IPv6' || each.scopeid === 0) continue
        const host = `[${each.address}%${each.scopeid}]`
        const { server } = await mirror(t, `tcp://${host}:0`)
        const { text, port } = await look(`${each.address}%${name}`, server.port)
        t.is(text, `${host}:${port} ${host}:${server.port}`)
        t.is(server.addresses[0], `tcp://${host}:${server.port}`)
        // The address as shown can be listened on again, and so can one with the interface's name.
        await server.close()
        const again = await mirror(t, server.addresses[0] as string)
        t.deepEqual(again.server.addresses, server.addresses)
        const { server: named } = await mirror(t, `tcp://[${each.address}%${name}]:0`)
        t.is(named.addresses[0], `tcp://${host}:${named.port}`)
      }
    }
    t.pass()
  })
}

test('a host name binds all its addresses on one port', async (t) => {
  const { server } = await mirror(t, 'tcp://localhost:0')
  const ports = server.addresses.map((address) => Number(address.split(':').pop()))
  t.is(new Set(ports).size, 1)
  for (const address of server.addresses) {
    const host = address.includes('[') ? '::1' : '127.0.0.1'
    const { text } = await look(host, server.port)
    t.true(text.endsWith(address.slice('tcp://'.length)))
  }
})

test('several addresses are bound in the given order', async (t) => {
  const { server, opened } = await mirror(t, [
    'tcp://127.0.0.1:0',
    'tcp://0.0.0.0:0',
    'tcp://127.0.0.1:0',
  ])
  t.deepEqual(
    server.addresses.map((address) => address.replace(/\d+$/, '')),
    ['tcp://127.0.0.1:', 'tcp://0.0.0.0:', 'tcp://127.0.0.1:'],
  )
  const ports = server.addresses.map((address) => Number(address.split(':').pop()))
  t.is(new Set(ports).size, 3)
  for (const port of ports)
    t.true((await look('127.0.0.1', port)).text.endsWith(`127.0.0.1:${port}`))
  await opened.reaches(3)
})

test('the addresses of a connection stay readable after it has closed', async (t) => {
  const seen: string[] = []
  const ended = new Count()
  const server = await start(t, {
    message: (conn) => conn.end('bye'),
    close(conn) {
      seen.push(conn.remote, conn.local)
      ended.up()
    },
  })
  const socket = net.connect(server.port, '127.0.0.1')
  await once(socket, 'connect')
  const port = socket.localPort
  socket.write('x')
  await read(socket, 3)
  socket.end()
  await ended.reaches(1)
  t.deepEqual(seen, [`127.0.0.1:${port}`, `127.0.0.1:${server.port}`])
})
