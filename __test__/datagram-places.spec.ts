import { readFileSync } from 'node:fs'
import type { NetworkInterfaceInfoIPv6 } from 'node:os'
import test from 'ava'
import { bind, connect, type DatagramInfo } from 'millrace'
import { bound, peer } from './support/datagrams.js'
import { codeOf, gate } from './support/gate.js'
import { CAN_SHARE, IS_LINUX, interfaceWith, skip } from './support/system.js'

/** How many sockets of this machine have that port. */
function socketsOn(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const lines = readFileSync('/proc/net/udp', 'utf8').split('\n')
  return lines.filter((line) => line.includes(`:${hex} 00000000:0000`)).length
}

test('each of several loops has a socket on one port, and every peer is answered', async (t) => {
  if (!CAN_SHARE) {
    const error = await t.throwsAsync(bind({ address: 'udp://127.0.0.1:0', loops: 2 }))
    t.is(codeOf(error), 'ERR_UNSUPPORTED')
    return
  }
  const socket = await bound(t, {
    loops: 4,
    message: (socket, message, info) => void socket.send(message, info),
  })
  if (IS_LINUX) t.is(socketsOn(socket.port), 4)
  const clients = await Promise.all(Array.from({ length: 64 }, () => peer(t)))
  const rounds = clients.map(async (client, at) => {
    for (let round = 0; round < 20; round++) {
      const text = `${at} ${round}`
      if (String(await client.ask(text, socket.port)) !== text) return false
    }
    return true
  })
  t.deepEqual(new Set(await Promise.all(rounds)), new Set([true]))
  t.like(socket.stats(), { received: 64 * 20, sent: 64 * 20 })
  // To an address given as text, any of the sockets sends: all have the same port.
  for (const client of clients) t.true(socket.send('bye', `127.0.0.1:${client.port}`))
  for (const client of clients) t.is(String(await client.next()), 'bye')
  await socket.close()
  if (IS_LINUX) t.is(socketsOn(socket.port), 0)
})

test('several loops get one socket, or one each with reusePort', async (t) => {
  const one = await bound(t, { loops: undefined as never, message() {} })
  if (IS_LINUX) t.is(socketsOn(one.port), 1)
  if (!CAN_SHARE) return
  const each = await bound(t, { loops: 3, reusePort: true, message() {} })
  if (IS_LINUX) t.is(socketsOn(each.port), 3)
  const single = await bound(t, { loops: 3, reusePort: false, message() {} })
  if (IS_LINUX) t.is(socketsOn(single.port), 1)
})

test('a port in use is refused, and nothing stays bound', async (t) => {
  // On an address of this process, so that no other process can take the port in between.
  const own = IS_LINUX ? `127.77.${(process.pid >> 8) & 255}.${process.pid & 255}` : '127.0.0.1'
  const first = await bound(t, { address: { host: own, port: 0 }, message() {} })
  const again = { address: first.address, message() {} }
  const error = await t.throwsAsync(bound(t, again))
  t.like(error, { code: 'EADDRINUSE', syscall: 'bind', port: first.port })
  await first.close()
  const second = await bound(t, again)
  t.is(second.address, first.address)
})

test('several loops do not share a port with another socket, unless reusePort asks for it', async (t) => {
  if (!CAN_SHARE) return skip(t, 'several loops cannot share a port on this system')
  const first = await bound(t, { loops: 2, message() {} })
  const { address } = first
  await t.throwsAsync(bound(t, { address, loops: 2, message() {} }), { code: 'EADDRINUSE' })
  const second = await bound(t, { address, loops: 2, reusePort: true, message() {} })
  if (IS_LINUX) t.is(socketsOn(first.port), 4)
  t.is(second.address, address)
})

test('without a host a socket receives IPv6 and IPv4, and shows an IPv4 peer as IPv4', async (t) => {
  const infos: DatagramInfo[] = []
  const socket = await bound(t, {
    address: 'udp://:0',
    message(socket, message, info) {
      infos.push(info)
      socket.send(message, info.remote)
    },
  })
  const four = await peer(t)
  t.is(String(await four.ask('four', socket.port)), 'four')
  t.is(infos[0]?.remote, `127.0.0.1:${four.port}`)
  if (!socket.address.includes('[::]')) return skip(t, 'there is no IPv6 here')
  const six = await peer(t, { host: '::1' })
  t.is(String(await six.ask('six', socket.port)), 'six')
  t.is(infos[1]?.remote, `[::1]:${six.port}`)
  t.deepEqual(
    infos.map((info) => info.family),
    ['IPv4', 'IPv6'],
  )
})

test('a socket on an IPv6 address is IPv6 only, unless ipv6Only is false', async (t) => {
  const hasIPv6 = await bind({ address: 'udp://[::1]:0' }).then(
    (socket) => socket.close().then(() => true),
    () => false,
  )
  if (!hasIPv6) return skip(t, 'there is no IPv6 here')
  const echo = {
    message(socket: Awaited<ReturnType<typeof bind>>, message: Buffer, info: DatagramInfo) {
      socket.send(message, info)
    },
  }
  const alone = await bound(t, { address: 'udp://[::]:0', ...echo })
  t.throws(() => alone.send('x', '127.0.0.1:9'), { code: 'ERR_INVALID_ADDRESS' })
  const both = await bound(t, { address: 'udp://[::]:0', ipv6Only: false, ...echo })
  t.is(String(await (await peer(t)).ask('four', both.port)), 'four')
  const six = await bound(t, { address: 'udp://:0', ipv6Only: true, ...echo })
  t.throws(() => six.send('x', '127.0.0.1:9'), { code: 'ERR_INVALID_ADDRESS' })
  t.is(String(await (await peer(t, { host: '::1' })).ask('six', six.port)), 'six')
})

test('every form of an IPv6 address is accepted', async (t) => {
  const socket = await bound(t, { address: 'udp://:0' })
  if (!socket.address.includes('[::]')) return skip(t, 'there is no IPv6 here')
  const client = await peer(t, { host: '::1' })
  for (const text of ['::1', '0:0:0:0:0:0:0:1', '0000::0001', '::0.0.0.1', '0::1']) {
    t.true(socket.send(text, `[${text}]:${client.port}`))
    t.is(String(await client.next()), text)
  }
  const four = await peer(t)
  t.true(socket.send('mapped', `[::ffff:127.0.0.1]:${four.port}`))
  t.is(String(await four.next()), 'mapped')
})

test('the zone of a link-local address may be the number or the name of its interface', async (t) => {
  const found = interfaceWith((each) => each.family === 'IPv6' && each.scopeid > 0)
  if (found === undefined) return skip(t, 'no interface has a link-local address')
  const { name, address } = found
  const { scopeid } = found as NetworkInterfaceInfoIPv6
  const { passed, open } = gate<DatagramInfo>()
  const server = await bound(t, {
    address: `udp://[${address}%${name}]:0`,
    message(socket, message, info) {
      open(info)
      socket.send(message, info)
    },
  })
  t.is(server.address, `udp://[${address}%${scopeid}]:${server.port}`)
  const client = await bound(t, { address: 'udp://[::]:0' })
  for (const zone of [name, scopeid]) {
    client.send(String(zone), `[${address}%${zone}]:${server.port}`)
    for await (const { message, info } of client) {
      t.is(String(message), String(zone))
      t.is(info.remote, `[${address}%${scopeid}]:${server.port}`)
      break
    }
  }
  t.is((await passed).address, `${address}%${scopeid}`)
  const to = `[${address}%${scopeid}]:${server.port}`
  const connected = await connect({ to: `udp://[${address}%${name}]:${server.port}`, message() {} })
  t.teardown(() => connected.close())
  t.is(connected.remote, to)
})

test('an unknown zone is refused', async (t) => {
  const socket = await bound(t, { address: 'udp://:0', message() {} })
  t.throws(() => socket.send('x', '[fe80::1%nowhere0]:9'), { code: 'ERR_INVALID_ADDRESS' })
  await t.throwsAsync(bind({ address: 'udp://[fe80::1%nowhere0]:0' }), {
    code: 'ERR_INVALID_ADDRESS',
  })
})

test('broadcasts are sent only if they are allowed', async (t) => {
  if (!IS_LINUX) return skip(t, 'only Linux has a broadcast address on its loopback')
  const { passed, open } = gate<string>()
  const receiver = await bound(t, {
    address: 'udp://0.0.0.0:0',
    message: (_, message) => open(String(message)),
  })
  const refused = gate<string | undefined>()
  const sender = await bound(t, { message() {}, error: (error) => refused.open(codeOf(error)) })
  sender.send('forbidden', `127.255.255.255:${receiver.port}`)
  t.is(await refused.passed, 'EACCES')
  await sender.setBroadcast(true)
  sender.send('to all', `127.255.255.255:${receiver.port}`)
  t.is(await passed, 'to all')
  const allowed = await bound(t, { broadcast: true, message() {} })
  allowed.send('again', `127.255.255.255:${receiver.port}`)
  t.is(receiver.stats().errors + allowed.stats().errors, 0)
})
