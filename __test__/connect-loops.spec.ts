import type net from 'node:net'
import test from 'ava'
import { type Conn, connect, serve } from 'millrace'
import { deadPort, peer } from './support/dial.js'
import { gate } from './support/gate.js'
import { millraceThreadsOf } from './support/proc.js'
import { RING_BYTES } from './support/serve.js'
import { turns } from './support/turns.js'

const isLinux = process.platform === 'linux'

test.serial(
  'the loops of a connection end with it, even if its close handler is the last to run',
  async (t) => {
    const to = await peer(t, 'tcp', (socket) => socket.resume())
    for (const ringBytes of [4096, RING_BYTES]) {
      const closed = gate()
      const conn = await connect({ to, loops: 2, ringBytes, close: () => closed.open() })
      t.is((await millraceThreadsOf(isLinux ? 2 : 0)).length, isLinux ? 2 : 0)
      conn.destroy()
      await closed.passed
      t.deepEqual(await millraceThreadsOf(0), [])
    }
    await t.throwsAsync(connect({ to: `tcp://127.0.0.1:${await deadPort()}`, loops: 2 }))
    t.deepEqual(await millraceThreadsOf(0), [])
  },
)

test('accepted and outgoing connections stay separate on one loop', async (t) => {
  const accepted: Conn[] = []
  const server = await serve({
    listen: 'tcp://127.0.0.1:0',
    open: (conn) => void accepted.push(conn),
    message: (conn, chunk) => void conn.write(chunk),
  })
  const sockets: net.Socket[] = []
  const to = await peer(t, 'tcp', (socket) => sockets.push(socket))
  const conn = await connect({ to: server.addresses[0] as string, loops: server })
  const other = await connect({ to, loop: conn, message: (conn, chunk) => void conn.write(chunk) })
  t.is(other.loop, conn.loop)
  while (accepted.length < 1) await turns(1)
  t.is(server.connections, 1)
  t.deepEqual([...server], accepted)
  t.is(server.get(other.id), undefined)
  t.is(server.broadcast('all', { group: [conn, ...accepted] as Conn[] }), 1)
  for await (const chunk of conn) {
    t.is(String(chunk), 'all')
    break
  }
  // The loops outlive the server while other connections use them.
  await server.close({ timeout: 0 })
  while (sockets.length < 1) await turns(1)
  const echoed = gate<string>()
  sockets[0]?.on('data', (chunk) => echoed.open(String(chunk)))
  sockets[0]?.write('still')
  t.is(await echoed.passed, 'still')
  conn.destroy()
  other.destroy()
})
