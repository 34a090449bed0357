import { inspect } from 'node:util'
import test from 'ava'
import { bind, type Conn, connect as dialOnce } from 'millrace'
import { connect } from './support/client.js'
import { dial, redial } from './support/dial.js'
import { gate } from './support/gate.js'
import { start } from './support/serve.js'

/** What `console.log` prints must not contain any of it. */
const INTERNALS = /profile|eventLoop|#|flags|slot|generation|settings|loopSockets/

test('a connection is shown by its addresses, its state and its context', async (t) => {
  const opened = gate<Conn>()
  const server = await start(t, {
    context: () => ({ user: 'ada' }),
    open: (conn) => opened.open(conn),
  })
  const socket = await connect(server.port)
  const conn = await opened.passed
  const shown = inspect(conn)
  for (const part of [conn.remote, conn.local, "readyState: 'open'", "user: 'ada'"]) {
    t.true(shown.includes(part), shown)
  }
  t.notRegex(shown, INTERNALS)
  t.regex(shown, /^Conn /)
  socket.destroy()
})

test('a server and its listeners are shown by their addresses and the number of connections', async (t) => {
  const server = await start(t, { message() {} })
  for (const [name, each] of [
    ['Server', server],
    ['Listener', server.listeners[0]],
  ] as const) {
    const shown = inspect(each)
    t.true(shown.includes(server.addresses[0] as string), shown)
    t.true(shown.includes('connections: 0'), shown)
    t.true(shown.startsWith(`${name} `), shown)
    t.notRegex(shown, INTERNALS)
  }
})

test('a client is shown by its state and its connection', async (t) => {
  const server = await start(t, { message() {} })
  const client = await redial(t, { to: server.port, reconnect: true, message() {} })
  const shown = inspect(client)
  t.true(shown.startsWith('Client '), shown)
  t.true(shown.includes("state: 'open'"), shown)
  t.true(shown.includes(`127.0.0.1:${server.port}`) || shown.includes(`[::1]:${server.port}`))
  t.notRegex(shown, INTERNALS)
})

test('a datagram socket, its peer and the info of a datagram are shown by their addresses', async (t) => {
  const arrived = gate<unknown>()
  const socket = await bind({
    address: 'udp://127.0.0.1:0',
    message: (_socket, _bytes, info) => arrived.open(info),
  })
  t.teardown(() => socket.close())
  const client = await dialOnce({ to: `udp://127.0.0.1:${socket.port}`, message() {} })
  t.teardown(() => client.close())
  client.send('hello')
  const info = await arrived.passed
  t.true(inspect(socket).startsWith('DatagramSocket '), inspect(socket))
  t.true(inspect(socket).includes(socket.address))
  t.true(inspect(client).includes(`remote: '127.0.0.1:${socket.port}'`), inspect(client))
  t.true(inspect(info).includes(client.address.replace('udp://', '')), inspect(info))
  for (const each of [socket, client, info]) t.notRegex(inspect(each), INTERNALS)
})

test('what is shown survives a closed connection', async (t) => {
  const server = await start(t, { message() {} })
  const conn = await dial(t, { to: server.port, message() {} })
  conn.destroy()
  t.true(inspect(conn).includes("readyState: 'closed'"))
  await server.close()
  t.true(inspect(server).includes('connections: 0'))
})

test('a context that leads back to its connection is shown once', async (t) => {
  const opened = gate<Conn>()
  const server = await start(t, { open: (conn) => opened.open(conn) })
  const other = await dial(t, { to: server.port, message() {} })
  const conn: Conn = await opened.passed
  const contexts: unknown[] = [
    conn,
    { conn },
    { owner: conn, last: conn, all: [conn, conn] },
    { other, deeper: { other } },
  ]
  for (const context of contexts) {
    conn.context = context
    ;(other as Conn).context = { back: conn, twice: [conn, conn] }
    for (const options of [{}, { depth: null }, { depth: 0 }]) {
      const shown = inspect(conn, options)
      t.true(shown.length < 3000, `${shown.length} characters`)
      t.true(shown.startsWith('Conn '), shown)
    }
    t.regex(inspect(conn, { depth: null }), /\[Circular Conn\]/)
  }
  // What is shown later does not depend on what was shown before.
  t.is(inspect(conn), inspect(conn))
})

test('JSON has the plain properties, whatever the context is, and leads to no circle', async (t) => {
  const opened = gate<Conn>()
  const server = await start(t, { open: (conn) => opened.open(conn) })
  await dial(t, { to: server.port, message() {} })
  const conn = await opened.passed
  conn.context = { conn, big: 1n }
  const json = JSON.parse(JSON.stringify({ conn, server }))
  t.is(json.conn.remote, conn.remote)
  t.is(json.conn.readyState, 'open')
  t.false('context' in json.conn)
  t.deepEqual(json.server.addresses, server.addresses)
})

test('a Proxy around a connection can be logged', async (t) => {
  const server = await start(t, { message() {} })
  const conn = await dial(t, { to: server.port, message() {} })
  for (const each of [new Proxy(conn, {}), Object.create(conn)]) t.true(inspect(each).length > 0)
})
