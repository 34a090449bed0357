import type net from 'node:net'
import test from 'ava'
import { type Codec, type Conn, line, map } from 'millrace'
import { connect, read } from './support/client.js'
import { Count } from './support/counts.js'
import { start } from './support/serve.js'

/** A line server with `count` clients; `conns` and `sockets` are in the same order. */
async function room(
  t: Parameters<typeof start>[0],
  count: number,
  codec: Codec<string> | (() => Codec<string>) = text(),
) {
  const conns: Conn<string, string>[] = []
  const opened = new Count()
  const ended = new Count()
  const server = await start<string, string>(t, {
    codec,
    open(conn) {
      conns.push(conn)
      opened.up()
    },
    message(conn, message) {
      if (message === 'bye') conn.end()
    },
    close: () => ended.up(),
  })
  const sockets: net.Socket[] = []
  for (let n = 1; n <= count; n++) {
    sockets.push(await connect(server.port))
    await opened.reaches(n)
  }
  return { server, conns, sockets, ended }
}

function text(prefix = ''): Codec<string> {
  return map(line(), String, (message: string) => prefix + message)
}

async function all(sockets: net.Socket[], expected: string): Promise<boolean> {
  const texts = await Promise.all(sockets.map((socket) => read(socket, expected.length)))
  return texts.every((each) => each.toString() === expected)
}

test('a broadcast reaches every connection and returns their number', async (t) => {
  const { server, sockets } = await room(t, 5)
  t.is(server.broadcast('hello'), 5)
  t.is(server.broadcast('again'), 5)
  t.true(await all(sockets, 'hello\nagain\n'))
})

test('a broadcast skips the connection in except', async (t) => {
  const { server, conns, sockets } = await room(t, 3)
  t.is(server.broadcast('others', { except: conns[1] as Conn<string, string> }), 2)
  t.is(server.broadcast('all'), 3)
  t.true(await all([sockets[0], sockets[2]] as net.Socket[], 'others\nall\n'))
  t.true(await all([sockets[1]] as net.Socket[], 'all\n'))
})

test('a broadcast to a group reaches only its members', async (t) => {
  const { server, conns, sockets } = await room(t, 4)
  const group = new Set(conns.slice(0, 3))
  t.is(server.broadcast('group', { group, except: conns[0] as Conn<string, string> }), 2)
  t.is(server.broadcast('all'), 4)
  t.true(await all(sockets.slice(1, 3), 'group\nall\n'))
  t.true(await all([sockets[0], sockets[3]] as net.Socket[], 'all\n'))
})

test('a broadcast skips members that are closed or belong to another server', async (t) => {
  const { server, conns, sockets, ended } = await room(t, 3)
  const other = await room(t, 1)
  sockets[0]?.end()
  sockets[0]?.resume()
  await ended.reaches(1)
  conns[1]?.destroy()
  t.is(server.broadcast('left', { group: [...conns, ...other.conns] }), 1)
  t.is(server.broadcast('left'), 1)
  t.true(await all([sockets[2]] as net.Socket[], 'left\nleft\n'))
})

test('a broadcast skips a connection that is ending', async (t) => {
  const { server, conns, sockets } = await room(t, 2)
  conns[0]?.end()
  t.is(server.broadcast('left'), 1)
  t.true(await all([sockets[1]] as net.Socket[], 'left\n'))
})

test('a broadcast is encoded once if all connections have the same codec', async (t) => {
  let encoded = 0
  const codec = map(line(), String, (message: string) => {
    encoded++
    return message
  })
  const { server, sockets } = await room(t, 6, codec)
  t.is(server.broadcast('once'), 6)
  t.is(encoded, 1)
  t.true(await all(sockets, 'once\n'))
})

test('a connection with its own codec gets the broadcast in its own encoding', async (t) => {
  let made = 0
  const { server, sockets } = await room(t, 3, () => text(`${made++}:`))
  t.is(server.broadcast('hello'), 3)
  // The server made the first codec only to learn the framing.
  for (const [at, socket] of sockets.entries()) t.true(await all([socket], `${at + 1}:hello\n`))
})

test('an error thrown by encode reaches the caller of broadcast, and nothing is sent', async (t) => {
  const codec = map(line(), String, (message: string) => {
    if (message === 'bad') throw new RangeError('no such message')
    return message
  })
  const { server, sockets } = await room(t, 2, codec)
  t.throws(() => server.broadcast('bad'), { instanceOf: RangeError })
  t.is(server.broadcast('good'), 2)
  t.true(await all(sockets, 'good\n'))
})

test('a broadcast larger than a ring reaches everybody whole, in order with other writes', async (t) => {
  const { server, conns, sockets } = await room(t, 4)
  const large = 'x'.repeat(300_000)
  for (const conn of conns) conn.write('before')
  t.is(server.broadcast(large), 4)
  for (const conn of conns) conn.write('behind')
  t.true(await all(sockets, `before\n${large}\nbehind\n`))
})

test('a broadcast with an unknown option reaches nobody', async (t) => {
  const { server, conns, sockets } = await room(t, 2)
  const [listener] = server.listeners
  for (const options of [{ groups: [conns[0]] }, null, 'all'] as never[]) {
    for (const each of [server, listener])
      t.throws(() => each?.broadcast('bad' as never, options), { code: 'ERR_INVALID_OPTION' })
  }
  t.is(server.broadcast('good', { except: undefined }), 2)
  t.true(await all(sockets, 'good\n'))
})

test('a broadcast to a group that was not found reaches nobody', async (t) => {
  const { server, conns, sockets } = await room(t, 2)
  const groups = new Map([['here', conns]])
  for (const each of [server, ...server.listeners]) {
    // Without `exactOptionalPropertyTypes`, TypeScript lets this pass.
    const options = { group: groups.get('there'), except: conns[0] } as never
    const error = t.throws(() => each.broadcast('bad' as never, options), {
      code: 'ERR_INVALID_OPTION',
    })
    t.regex(error?.message ?? '', /^group has to be an iterable of connections, not undefined/)
  }
  t.is(server.broadcast('good', { group: groups.get('here') ?? [] }), 2)
  t.is(server.broadcast('nobody', { group: groups.get('there') ?? [] }), 0)
  t.true(await all(sockets, 'good\n'))
})

test('a broadcast to a group that its options inherit reaches only its members', async (t) => {
  const { server, conns, sockets } = await room(t, 2)
  class Room {
    get group() {
      return conns.slice(0, 1)
    }
  }
  for (const options of [new Room(), Object.create({ group: conns.slice(0, 1) })]) {
    for (const each of [server, ...server.listeners]) t.is(each.broadcast('member', options), 1)
  }
  const none = Object.create({ group: undefined })
  t.throws(() => server.broadcast('bad', none), { code: 'ERR_INVALID_OPTION' })
  t.is(server.broadcast('all'), 2)
  t.true(await all(sockets.slice(0, 1), `${'member\n'.repeat(4)}all\n`))
  t.true(await all(sockets.slice(1), 'all\n'))
})
