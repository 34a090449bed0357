import type { AddressInfo, Socket } from 'node:net'
import test from 'ava'
import type { Conn } from 'millrace'
import { connect, endpointOf } from './support/client.js'
import { dial } from './support/dial.js'
import { gate } from './support/gate.js'
import { freePath } from './support/paths.js'
import { start } from './support/serve.js'
import { unix } from './support/system.js'

/** The six fields of one connection that `node:net` has too. */
function fieldsOf(conn: Conn | Socket): unknown[] {
  const { remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily } = conn
  return [remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily]
}

const LOOPBACKS = [
  ['127.0.0.1', 'IPv4'],
  ['::1', 'IPv6'],
] as const

for (const [host, family] of LOOPBACKS) {
  test(`a connection over ${family} has the address, port and family of both ends`, async (t) => {
    const opened = gate<Conn>()
    const server = await start(t, { listen: { host, port: 0 }, open: (conn) => opened.open(conn) })
    const socket = await connect(server.port, { host })
    const conn = await opened.passed
    const { address, port } = socket.address() as AddressInfo
    t.deepEqual(fieldsOf(conn), [address, port, family, host, server.port, family])
    t.is(conn.remote, family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`)
    socket.destroy()
  })

  test(`a connection that was dialled over ${family} has them from its own side`, async (t) => {
    const opened = gate<Conn>()
    const server = await start(t, { listen: { host, port: 0 }, open: (conn) => opened.open(conn) })
    const conn = await dial(t, { to: { host, port: server.port } })
    const other = await opened.passed
    const [a, b] = [fieldsOf(conn), fieldsOf(other)]
    t.deepEqual(a, [host, server.port, family, host, other.remotePort, family])
    t.deepEqual([...a.slice(3), ...a.slice(0, 3)], b)
  })
}

test('an IPv4 peer of a dual-stack listener has an IPv4 address', async (t) => {
  const opened = gate<Conn>()
  const server = await start(t, { listen: 0, open: (conn) => opened.open(conn) })
  const socket = await connect(server.port)
  const conn = await opened.passed
  t.deepEqual(
    [conn.remoteAddress, conn.remoteFamily, conn.localAddress, conn.localPort],
    ['127.0.0.1', 'IPv4', '127.0.0.1', server.port],
  )
  socket.destroy()
})

unix('a connection over a Unix socket has neither address nor port', async (t) => {
  const path = freePath(t)
  const opened = gate<Conn>()
  await start(t, { listen: { path }, open: (conn) => opened.open(conn) })
  const socket = await connect((endpointOf(path) as { path: string }).path)
  const conn = await opened.passed
  t.deepEqual(fieldsOf(conn), Array(6).fill(undefined))
  t.is(conn.local, `unix:${path}`)
  socket.destroy()
})

test('the addresses of a connection can be read after it is closed', async (t) => {
  const closed = gate<Conn>()
  const server = await start(t, { message() {}, close: (conn) => closed.open(conn) })
  const socket = await connect(server.port)
  const { port } = socket.address() as AddressInfo
  socket.end()
  const conn = await closed.passed
  t.deepEqual(
    [conn.remoteAddress, conn.remotePort, conn.localPort],
    ['127.0.0.1', port, server.port],
  )
})
