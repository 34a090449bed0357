/** Handlers run in the async context of the call that they were given to, whoever causes the event. */

import { AsyncLocalStorage } from 'node:async_hooks'
import test from 'ava'
import { type Conn, defineCodec, line } from 'millrace'
import { bound, peer } from './support/datagrams.js'
import { dial, redial } from './support/dial.js'
import { gate } from './support/gate.js'
import { LOOPS, ONE, start } from './support/serve.js'

const store = new AsyncLocalStorage<string>()

/** Notes which store each handler saw. */
class Sightings {
  readonly #seen = new Map<string, Set<string | undefined>>()

  note(handler: string): void {
    const seen = this.#seen.get(handler) ?? new Set()
    this.#seen.set(handler, seen.add(store.getStore()))
  }

  /** What each handler saw. */
  get all(): Record<string, (string | undefined)[]> {
    const entries = [...this.#seen].sort(([a], [b]) => (a < b ? -1 : 1))
    return Object.fromEntries(entries.map(([handler, seen]) => [handler, [...seen]]))
  }
}

/** What a test expects if each of those handlers saw only that store. */
function only(name: string, handlers: string[]): Record<string, string[]> {
  return Object.fromEntries(handlers.sort().map((handler) => [handler, [name]]))
}

test('the handlers of servers and clients run each in the context of its own call', async (t) => {
  const serverOf = (name: string) => {
    const sightings = new Sightings()
    const closed = gate()
    const server = store.run(name, () =>
      start<Buffer, string>(t, {
        highWaterMark: 1,
        timeouts: { idle: 20 },
        codec: () => {
          // Asked once without a peer, while the options are checked.
          sightings.note('codec')
          return line()
        },
        context() {
          sightings.note('context')
          return undefined
        },
        open: () => sightings.note('open'),
        message(conn, text) {
          sightings.note('message')
          if (String(text) === 'much') conn.write('x'.repeat(1 << 20))
          else conn.write(String(text))
        },
        drain: () => sightings.note('drain'),
        idle(conn) {
          sightings.note('idle')
          conn.write('idle')
          conn.setTimeouts({ idle: 0 })
        },
        end: () => sightings.note('end'),
        close() {
          sightings.note('close')
          closed.open()
          throw new Error('for the handler error')
        },
        error: () => sightings.note('error'),
      }),
    )
    return { server, sightings, closed: closed.passed }
  }
  const servers = { first: serverOf('first'), second: serverOf('second') }
  for (const [name, { server, sightings, closed }] of Object.entries(servers)) {
    const client = new Sightings()
    const answers: string[] = []
    const over = gate()
    const { port } = await server
    const idled = gate()
    const conn = await store.run(`client of ${name}`, () =>
      dial<Buffer, string>(t, {
        to: `tcp://127.0.0.1:${port}`,
        codec: line({ max: 1 << 20 }),
        open: () => client.note('open'),
        message(conn, text) {
          client.note('message')
          answers.push(String(text).slice(0, 4))
          if (String(text) === 'idle') idled.open()
          if (answers.length === 4) conn.end()
        },
        close() {
          client.note('close')
          over.open()
        },
      }),
    )
    await idled.passed
    store.run('somebody else', () => {
      for (const text of ['one', 'much', 'two']) conn.write(text)
    })
    await Promise.all([over.passed, closed])
    t.deepEqual(answers, ['idle', 'one', 'xxxx', 'two'])
    t.deepEqual(client.all, only(`client of ${name}`, ['open', 'message', 'close']))
    const handlers = 'codec context open message drain idle end close error'.split(' ')
    t.deepEqual(sightings.all, only(name, handlers))
  }
})

test('a message that waited for resume, and the end after one’s own end, run in their own context', async (t) => {
  const sightings = new Sightings()
  const opened = gate<Conn<Buffer, string>>()
  const delivered = gate()
  const ended = gate()
  const server = await store.run('the server', () =>
    start<Buffer, string>(t, {
      allowHalfOpen: true,
      codec: line(),
      open(conn) {
        conn.pause()
        opened.open(conn)
      },
      message() {
        sightings.note('message')
        delivered.open()
      },
      end() {
        sightings.note('end')
        ended.open()
      },
    }),
  )
  const client = await dial<Buffer, string>(t, {
    to: `tcp://127.0.0.1:${server.port}`,
    codec: line(),
    allowHalfOpen: true,
    message() {},
  })
  const conn = await opened.passed
  client.end('hello')
  store.run('somebody else', () => conn.resume())
  await delivered.passed
  store.run('somebody else', () => conn.end())
  await ended.passed
  t.deepEqual(sightings.all, only('the server', ['message', 'end']))
})

test('a loop of two servers delivers to each in its own context, in order', async (t) => {
  const seen: string[] = []
  const all = gate()
  const shared = await start(t, { loops: ONE })
  const codec = defineCodec<string, string>({
    framing: line(),
    decode: (from) => `${store.getStore()}: ${from.text(from.remaining)}`,
    encode: (text, to) => to.text(text),
  })
  const listen = (name: string) =>
    store.run(name, () =>
      start<string, string>(t, {
        loops: shared,
        codec,
        message(_conn, text) {
          seen.push(`${store.getStore()}, ${text}`)
          if (seen.length === 200) all.open()
        },
      }),
    )
  const servers = [await listen('a'), await listen('b')]
  const clients = await Promise.all(
    servers.map(({ port }) =>
      dial<Buffer, string>(t, { to: `tcp://127.0.0.1:${port}`, codec: line() }),
    ),
  )
  for (let count = 0; count < 100; count++) for (const client of clients) client.write(`${count}`)
  await all.passed
  for (const name of ['a', 'b']) {
    const own = seen.filter((each) => each.startsWith(name))
    t.deepEqual(
      own,
      Array.from({ length: 100 }, (_, count) => `${name}, ${name}: ${count}`),
    )
  }
})

test('a client that connects again runs its handlers in the context of the first call', async (t) => {
  const sightings = new Sightings()
  const again = gate()
  const server = await start(t, {
    loops: ONE,
    open: (conn) => conn.destroy(),
  })
  let opened = 0
  const client = await store.run('the client', () =>
    redial(t, {
      to: `tcp://127.0.0.1:${server.port}`,
      reconnect: { min: 1, max: 1 },
      open() {
        sightings.note('open')
        if (++opened === 3) again.open()
      },
      message() {},
      close: () => sightings.note('close'),
      state: () => sightings.note('state'),
    }),
  )
  await again.passed
  store.run('somebody else', () => client.destroy())
  await client.closed.catch(() => {})
  t.deepEqual(sightings.all, only('the client', ['open', 'close', 'state']))
})

test('the handlers of datagram sockets run each in the context of its own call', async (t) => {
  const sightings = new Sightings()
  const closed = gate()
  const received = gate()
  const socket = await store.run('the socket', () =>
    bound<Buffer, string>(t, {
      loops: LOOPS,
      message(_socket, bytes) {
        sightings.note('message')
        received.open()
        throw new Error(String(bytes))
      },
      close() {
        sightings.note('close')
        closed.open()
      },
      error: () => sightings.note('error'),
    }),
  )
  const { send } = await peer(t)
  store.run('somebody else', () => socket.pause())
  send('for the handler error', socket.port)
  store.run('somebody else', () => socket.resume())
  await received.passed
  store.run('somebody else', () => void socket.close())
  await closed.passed
  t.deepEqual(sightings.all, only('the socket', ['message', 'close', 'error']))
})
