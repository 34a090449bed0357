import type net from 'node:net'
import test from 'ava'
import { type Conn, line, type Peer } from 'millrace'
import { closed, connect, read } from './support/client.js'
import { Count } from './support/counts.js'
import { start } from './support/serve.js'

/** Handlers that record opened and closed connections. */
function watched() {
  const conns: Conn[] = []
  const opened = new Count()
  const ended = new Count()
  const open = (conn: Conn) => {
    conns.push(conn)
    opened.up()
  }
  return { conns, opened, ended, handlers: { open, close: () => ended.up() } }
}

function idsOf(conns: Iterable<Conn>): number[] {
  return Array.from(conns, (conn) => conn.id).sort((a, b) => a - b)
}

async function connectMany(port: number, count: number): Promise<net.Socket[]> {
  return Promise.all(Array.from({ length: count }, () => connect(port)))
}

test('connections counts the open connections', async (t) => {
  const { opened, ended, handlers } = watched()
  const server = await start(t, { ...handlers, message() {} })
  t.is(server.connections, 0)
  const sockets = await connectMany(server.port, 5)
  await opened.reaches(5)
  t.is(server.connections, 5)
  for (const socket of sockets.slice(2)) socket.end()
  await ended.reaches(3)
  t.is(server.connections, 2)
})

test('iterating a server yields its open connections', async (t) => {
  const { conns, opened, ended, handlers } = watched()
  const server = await start(t, { ...handlers, message() {} })
  t.deepEqual([...server], [])
  const sockets = await connectMany(server.port, 4)
  await opened.reaches(4)
  t.deepEqual(idsOf(server), idsOf(conns))
  sockets[0]?.end()
  await ended.reaches(1)
  t.deepEqual(idsOf(server), idsOf(conns.filter((conn) => conn.readyState === 'open')))
  t.is([...server].length, 3)
})

test('get finds an open connection by its id, also connections opened after the first call', async (t) => {
  const { conns, opened, ended, handlers } = watched()
  const server = await start(t, { ...handlers, message() {} })
  const [first] = await connectMany(server.port, 1)
  await opened.reaches(1)
  const [one] = conns as [Conn]
  t.is(server.get(one.id), one)
  t.is(server.get(one.id + 1000), undefined)
  await connectMany(server.port, 2)
  await opened.reaches(3)
  for (const conn of conns) t.is(server.get(conn.id), conn)
  first?.end()
  await ended.reaches(1)
  t.is(server.get(one.id), undefined)
})

test('ids are unique in the process and never reused', async (t) => {
  const ids: number[] = []
  const opened = new Count()
  const open = (conn: Conn) => {
    ids.push(conn.id)
    opened.up()
  }
  const servers = [await start(t, { open, message() {} }), await start(t, { open, message() {} })]
  for (let round = 1; round <= 20; round++) {
    // Slots are reused, ids are not.
    const sockets = await Promise.all(servers.map((server) => connect(server.port)))
    await opened.reaches(2 * round)
    for (const socket of sockets) {
      socket.end()
      socket.resume()
      await closed(socket)
    }
  }
  t.is(new Set(ids).size, 40)
  t.true(ids.every((id) => Number.isSafeInteger(id) && id > 0))
})

test('stats counts the connections and the work of each loop', async (t) => {
  const { opened, ended, handlers } = watched()
  const server = await start(t, {
    ...handlers,
    message(conn, chunk) {
      conn.write(chunk)
    },
  })
  const [one, two] = (await connectMany(server.port, 2)) as [net.Socket, net.Socket]
  await opened.reaches(2)
  for (const socket of [one, two]) {
    socket.write('0123456789')
    await read(socket, 10)
  }
  one.end()
  await ended.reaches(1)
  const { connections, loops } = server.stats()
  const sum = (name: 'opened' | 'closed' | 'bytesRead' | 'bytesWritten') =>
    loops.reduce((total, loop) => total + loop[name], 0)
  t.is(connections, 1)
  t.deepEqual([sum('opened'), sum('closed'), sum('bytesRead'), sum('bytesWritten')], [2, 1, 20, 20])
  t.true(loops.every((loop) => loop.turns > 0 || loop.opened === 0))
  t.is(new Set(loops.map((loop) => loop.loop)).size, loops.length)
})

test('a closed server has no connections, no loops and nothing to iterate', async (t) => {
  const { conns, opened, handlers } = watched()
  const server = await start(t, { ...handlers, message() {} })
  const socket = await connect(server.port)
  await opened.reaches(1)
  socket.resume().end()
  await server.close()
  t.deepEqual(server.stats(), { connections: 0, loops: [] })
  t.deepEqual([...server], [])
  t.is(server.get((conns[0] as Conn).id), undefined)
  t.is(server.broadcast('nobody'), 0)
})

test('context creates conn.context and gets the addresses of the connection', async (t) => {
  const seen: unknown[] = []
  const server = await start(t, {
    context: (peer) => ({ remote: peer.remote, local: peer.local, hits: 0 }),
    open: (conn) => seen.push({ ...conn.context }),
    message(conn) {
      conn.context.hits++
      conn.write(`${conn.context.hits}`)
    },
  })
  const socket = await connect(server.port)
  const remote = `127.0.0.1:${socket.localPort}`
  for (const hits of ['1', '2', '3']) {
    socket.write('x')
    t.is((await read(socket, 1)).toString(), hits)
  }
  t.deepEqual(seen, [{ remote, local: `127.0.0.1:${server.port}`, hits: 0 }])
})

test('context and a codec function get the addresses and nothing else of the connection', async (t) => {
  const peers: Peer[] = []
  const server = await start(t, {
    codec(peer) {
      peers.push(peer)
      return line()
    },
    context: (peer) => ({ peer: peers.push(peer) }),
    open: (conn) => void conn.write(conn.remote),
  })
  peers.length = 0
  const socket = await connect(server.port)
  const remote = `127.0.0.1:${socket.localPort}`
  t.is((await read(socket, remote.length + 1)).toString(), `${remote}\n`)
  t.is(peers.length, 2)
  for (const peer of peers) {
    const { remoteAddress, remotePort, remoteFamily } = peer
    t.deepEqual(
      [peer.remote, peer.local, remoteAddress, remotePort, remoteFamily],
      [remote, `127.0.0.1:${server.port}`, '127.0.0.1', socket.localPort, 'IPv4'],
    )
    t.deepEqual(Object.keys(peer).slice(0, 2), ['remote', 'local'])
    for (const name of ['write', 'end', 'destroy', 'context', 'codec']) t.false(name in peer)
    t.throws(() => Object.assign(peer, { remote: '' }), { instanceOf: TypeError })
  }
})

test('a context that returns a promise closes the connection with ERR_CONTEXT_ASYNC', async (t) => {
  const errors: unknown[] = []
  const ended = new Count()
  const server = await start(t, {
    context: (async () => ({})) as unknown as () => undefined,
    open: () => t.fail(),
    message: () => t.fail(),
    close(_conn, error) {
      errors.push((error as { code?: string }).code)
      ended.up()
    },
  })
  const socket = await connect(server.port)
  socket.resume().write('x')
  await closed(socket)
  await ended.reaches(1)
  t.deepEqual(errors, ['ERR_CONTEXT_ASYNC'])
})
