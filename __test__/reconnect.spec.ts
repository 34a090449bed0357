import { once } from 'node:events'
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import {
  type Client,
  type ClientState,
  connect,
  line,
  type MillraceError,
  type ReconnectingOptions,
  serve,
} from 'millrace'
import { hasHeld, waitBefore } from '../lib/backoff.js'
import { theEnvironment } from '../lib/environment.js'
import { injectPanic } from '../lib/native.js'
import { Count } from './support/counts.js'
import { deadPort, peer as peerOf, redial } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { start } from './support/serve.js'

/** Waits of a millisecond: what a spec waits for is always an event. */
const AT_ONCE = { min: 1, max: 1, jitter: 0 }

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** A peer that comes and goes on one port, and keeps what it was sent, by life. */
class Peer {
  readonly port: number
  readonly lives: string[] = []
  readonly bytes = new Count()
  readonly arrived = new Count()
  #server: net.Server | undefined
  readonly #sockets = new Set<net.Socket>()

  constructor(t: ExecutionContext, port: number) {
    this.port = port
    t.teardown(() => this.stop())
  }

  get to(): string {
    return `tcp://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const server = net.createServer((socket) => {
      const life = this.lives.push('') - 1
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('data', (chunk) => {
        this.lives[life] += String(chunk)
        for (const _ of chunk) this.bytes.up()
      })
      this.arrived.up()
    })
    this.#server = server
    server.listen(this.port, '127.0.0.1')
    await once(server, 'listening')
  }

  /** Sends to the connections that there are. */
  say(words: string): void {
    for (const socket of this.#sockets) socket.write(words)
  }

  /** Drops the connections, and goes on listening. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    server.close()
    this.drop()
    await once(server, 'close')
  }
}

/** Counts how often a client came to each state. */
class States {
  readonly all: ClientState[] = []
  readonly #counts = new Map<ClientState, Count>()

  readonly note = (client: { state: ClientState }): void => {
    this.all.push(client.state)
    this.of(client.state).up()
  }

  of(state: ClientState): Count {
    let count = this.#counts.get(state)
    if (count === undefined) {
      count = new Count()
      this.#counts.set(state, count)
    }
    return count
  }
}

async function peer(t: ExecutionContext, starts = true): Promise<Peer> {
  const peer = new Peer(t, await deadPort())
  if (starts) await peer.start()
  return peer
}

type Options = Omit<ReconnectingOptions<Buffer, Uint8Array | string, undefined>, 'reconnect'>

function client(t: ExecutionContext, options: Options): Promise<Client> {
  return redial(t, { reconnect: AT_ONCE, ...options })
}

/** Stops the time that connections are measured by, to the end of the test: it passes as the test says. */
function clock(t: ExecutionContext): { now: number } {
  const { now } = performance
  const time = { now: performance.now() }
  performance.now = () => time.now
  t.teardown(() => {
    performance.now = now
  })
  return time
}

test('waits grow by the factor up to the most, and chance takes a part of them', (t) => {
  const backoff = { min: 100, max: 1000, factor: 2, jitter: 0.5, attempts: 9 }
  const waits = (chance: number) =>
    [0, 1, 2, 3, 4, 5, 50].map((n) => waitBefore(backoff, n, chance))
  t.deepEqual(waits(0), [100, 100, 200, 400, 800, 1000, 1000])
  t.deepEqual(waits(1), [50, 50, 100, 200, 400, 500, 500])
  t.is(waitBefore({ ...backoff, jitter: 1 }, 3, 1), 0)
  t.is(waitBefore({ ...backoff, factor: 1 }, 5000, 0), 100)
  t.is(waitBefore({ ...backoff, factor: 1000 }, 5000, 0), 1000)
})

test('the first connection is tried for until there is one', async (t) => {
  const server = await peer(t, false)
  const states = new States()
  const attempts: number[] = []
  const connecting = client(t, {
    to: server.to,
    state(client) {
      states.note(client)
      attempts.push(client.attempt)
      if (client.state === 'waiting') {
        t.is(typeof client.nextAttemptAt, 'number')
        t.is(codeOf(client.lastError), 'ECONNREFUSED')
      } else t.is(client.nextAttemptAt, undefined)
    },
  })
  await states.of('waiting').reaches(3)
  t.deepEqual(states.all.slice(0, 4), ['waiting', 'connecting', 'waiting', 'connecting'])
  t.deepEqual(attempts.slice(0, 5), [2, 2, 3, 3, 4])
  await server.start()
  const it = await connecting
  t.is(it.state, 'open')
  t.is(it.attempt, 0)
  t.is(it.lastError, undefined)
  t.is(it.conn?.remote, `127.0.0.1:${server.port}`)
})

test('a lost connection is followed by another, each with one open and one close', async (t) => {
  const server = await peer(t)
  const heard: string[] = []
  const opens = new Count()
  const it = await client(t, {
    to: server.to,
    open(conn) {
      heard.push(`open ${conn.local}`)
      opens.up()
    },
    message: () => {},
    close: (conn) => void heard.push(`close ${conn.local}`),
  })
  for (let life = 1; life <= 20; life++) {
    await opens.reaches(life)
    await server.arrived.reaches(life)
    server.drop()
  }
  await opens.reaches(21)
  it.destroy()
  await it.closed
  t.is(heard.length, 42)
  for (let life = 0; life < 21; life++) {
    t.true(heard[2 * life]?.startsWith('open'))
    t.is(heard[2 * life + 1], heard[2 * life]?.replace('open', 'close'))
  }
  t.is(new Set(heard).size, 42)
})

test('what is written during an outage goes out first, in order, behind what open writes', async (t) => {
  const server = await peer(t)
  const states = new States()
  const it = await client(t, {
    to: server.to,
    codec: line(),
    open: (conn) => void conn.write('hello'),
    state: states.note,
  })
  t.true(it.write('live'))
  await server.bytes.reaches(11)
  await server.arrived.reaches(1)
  await server.stop()
  await states.of('waiting').reaches(1)
  const reused = Buffer.from('0')
  for (let n = 0; n < 10; n++) {
    reused[0] = 48 + n
    t.true(it.write(reused))
  }
  t.is(it.queued, 20)
  await server.start()
  await states.of('open').reaches(2)
  t.is(it.queued, 0)
  it.write('after')
  await server.bytes.reaches(11 + 6 + 20 + 6)
  const digits = Array.from({ length: 10 }, (_, n) => `${n}\n`).join('')
  t.deepEqual(server.lives, ['hello\nlive\n', `hello\n${digits}after\n`])
})

test('what is over maxOffline throws, and nothing of it is kept', async (t) => {
  const server = await peer(t)
  const states = new States()
  const options = { to: server.to, maxOffline: 100, codec: line({ max: 1000 }), state: states.note }
  const it = await client(t, options)
  await server.arrived.reaches(1)
  await server.stop()
  await states.of('waiting').reaches(1)
  t.true(it.write('x'.repeat(98)))
  t.throws(() => it.write('y'), { code: 'ERR_WRITE_BUFFER_FULL' })
  t.is(it.queued, 99)
  t.true(it.write(''))
  t.throws(() => it.write('one\ntwo'), { code: 'ERR_FRAME_INVALID' })
  t.throws(() => it.write('z'.repeat(1001)), { code: 'ERR_FRAME_TOO_LARGE' })
  t.is(it.queued, 100)
  await server.start()
  await server.bytes.reaches(100)
  t.is(server.lives[1], `${'x'.repeat(98)}\n\n`)
  t.true(it.write('and on'))
})

test('with refuse nothing is accepted during an outage', async (t) => {
  const server = await peer(t)
  const states = new States()
  const it = await client(t, { to: server.to, offline: 'refuse', state: states.note })
  await server.arrived.reaches(1)
  await server.stop()
  await states.of('waiting').reaches(1)
  t.false(it.write('lost'))
  t.is(it.queued, 0)
  await server.start()
  await states.of('open').reaches(2)
  t.true(it.write('kept'))
  await server.bytes.reaches(4)
  t.deepEqual(server.lives, ['', 'kept'])
})

test('a connection that is ending takes nothing: what is written then waits for the next', async (t) => {
  const server = await peer(t)
  const it = await client(t, { to: server.to })
  it.conn?.end()
  t.true(it.write('for the next'))
  t.is(it.queued, 12)
  await server.arrived.reaches(1)
  server.drop()
  await server.bytes.reaches(12)
  t.deepEqual(server.lives, ['', 'for the next'])
})

test('it gives up after so many failures in a row', async (t) => {
  const server = await peer(t, false)
  const states = new States()
  const reconnect = { ...AT_ONCE, attempts: 3 }
  const connecting = connect({ to: server.to, reconnect, state: states.note })
  const error = await t.throwsAsync<MillraceError>(connecting)
  t.is(error.code, 'ECONNREFUSED')
  t.deepEqual(states.all, ['waiting', 'connecting', 'waiting', 'connecting', 'closed'])
})

test.serial(
  'failures count anew after each connection that received something and lasted as long as the wait before it',
  async (t) => {
    const time = clock(t)
    const server = await peer(t)
    const heard = new Count()
    const states = new States()
    const it = await redial(t, {
      to: server.to,
      reconnect: { ...AT_ONCE, max: 60_000, factor: 1, attempts: 2 },
      message: () => heard.up(),
      state: states.note,
    })
    for (let life = 1; life <= 5; life++) {
      await server.arrived.reaches(life)
      server.say('x')
      await heard.reaches(life)
      time.now += 1
      server.drop()
      await states.of('open').reaches(life + 1)
    }
    t.is(it.state, 'open')
    // So did the last one.
    await server.arrived.reaches(6)
    server.say('x')
    await heard.reaches(6)
    time.now += 1
    await server.stop()
    await t.throwsAsync(it.closed, { code: 'ECONNREFUSED' })
    t.is(it.state, 'closed')
    t.is(it.conn, undefined)
    t.false(it.write('too late'))
    t.deepEqual(states.all.slice(-5), ['waiting', 'connecting', 'waiting', 'connecting', 'closed'])
  },
)

for (const [what, words, wait] of [
  ['accepts and closes at once', '', 59_999],
  ['greets and closes at once', 'too busy', 0],
] as const) {
  test.serial(
    `a peer that ${what} is a failure each time, and given up like one that refuses`,
    async (t) => {
      const time = clock(t)
      let accepted = 0
      const to = await peerOf(t, 'tcp', (socket) => {
        accepted++
        socket.end(words)
      })
      const heard: string[] = []
      const attempts: [ClientState, number][] = []
      const it = await redial(t, {
        to,
        reconnect: { min: 1, max: 60_000, factor: 1, jitter: 0, attempts: 3 },
        state(client) {
          attempts.push([client.state, client.attempt])
          if (client.state === 'open') time.now += wait
        },
        message: (_conn, chunk) => void heard.push(String(chunk)),
      })
      await t.throwsAsync(it.closed, { code: 'ERR_CLOSED' })
      t.deepEqual(attempts, [
        ['open', 0],
        ['waiting', 2],
        ['connecting', 2],
        ['open', 0],
        ['waiting', 3],
        ['connecting', 3],
        ['open', 0],
        ['closed', 0],
      ])
      t.is(accepted, 3)
      t.deepEqual(heard, words === '' ? [] : [words, words, words])
    },
  )
}

test('a connection has held if it lasted for the wait before it, or without a word for the longest', (t) => {
  const backoff = { min: 10, max: 1000, factor: 2, jitter: 0.5, attempts: 9 }
  const held = (failures: number, received: number, lasted: number) =>
    hasHeld(backoff, failures, { received, lasted })
  for (const [failures, wait] of [
    [0, 10],
    [1, 10],
    [2, 20],
    [5, 160],
    [99, 1000],
  ] as const) {
    t.false(held(failures, 1, wait - 1))
    t.true(held(failures, 1, wait))
    t.false(held(failures, 0, 999))
    t.true(held(failures, 0, 1000))
  }
})

for (const way of ['end', 'destroy'] as const) {
  test(`${way} stops it while it waits, while it connects and while it is open`, async (t) => {
    for (const when of ['waiting', 'connecting', 'open'] as const) {
      const server = await peer(t)
      const states = new States()
      let isDue = false
      const it = await client(t, {
        to: server.to,
        message: () => {},
        state(client) {
          states.note(client)
          if (isDue && client.state === when) client[way]()
        },
      })
      isDue = true
      if (when === 'open') it[way]()
      else await server.stop()
      if (when === 'open') {
        await server.arrived.reaches(1)
        server.drop()
      }
      await it.closed
      t.is(it.state, 'closed')
      t.is(states.all.at(-1), 'closed')
      t.is(states.of('closed').value, 1)
      t.false(it.write('too late'))
      t.is(it.queued, 0)
      it.end()
      it.destroy(new Error('twice'))
      await turns(20)
      t.is(states.of('closed').value, 1)
    }
  })
}

/** Counts what keeps the process alive, from now to the end of the test. */
function holds(t: ExecutionContext): { count: number } {
  const environment = theEnvironment()
  const seen = { count: 0 }
  const hold = environment.hold.bind(environment)
  environment.hold = (change) => {
    seen.count += change
    hold(change)
  }
  t.teardown(() => Reflect.deleteProperty(environment, 'hold'))
  return seen
}

for (const way of ['end', 'destroy', 'abort', 'unref', 'ref'] as const) {
  test.serial(
    `${way} when a client says that it connects again gives back nothing that was not taken`,
    async (t) => {
      const peer = new Peer(t, await deadPort())
      await peer.start()
      // On the loops of everybody, which stop with their last user.
      const server = await serve({
        listen: 'tcp://127.0.0.1:0',
        message: (conn, chunk) => void conn.write(chunk),
      })
      t.teardown(() => server.close({ timeout: 0 }))
      const held = holds(t)
      const states = new States()
      const abort = new AbortController()
      const it = await connect({
        to: peer.to,
        reconnect: AT_ONCE,
        signal: abort.signal,
        message: () => {},
        state(client) {
          states.note(client)
          if (client.state !== 'connecting') return
          if (way === 'abort') abort.abort()
          else if (way === 'ref') client.unref().ref()
          else client[way]()
        },
      })
      t.is(held.count, 1)
      if (way === 'ref') it.unref()
      await peer.arrived.reaches(1)
      peer.drop()
      if (way === 'ref' || way === 'unref') {
        await states.of('open').reaches(2)
        t.is(held.count, way === 'ref' ? 1 : 0)
        it.destroy()
      }
      await it.closed.catch(() => {})
      await turns(20)
      t.is(held.count, 0)
      const address = server.addresses[0] as string
      const echo = await connect({ to: address })
      echo.write('alive')
      for await (const chunk of echo) {
        t.is(String(chunk), 'alive')
        break
      }
      // Nothing of it ends while the next test counts.
      await echo[Symbol.asyncDispose]()
      await server.close()
    },
  )
}

for (const way of ['end', 'destroy', 'abort'] as const) {
  for (const [handler, life] of [
    ['data', 1],
    ['open', 1],
    ['data', 2],
    ['open', 2],
  ] as const) {
    test(`${way} in ${handler} of life ${life} closes that connection, and the client with it`, async (t) => {
      const server = await peer(t, false)
      const closed = new Count()
      const states = new States()
      const abort = new AbortController()
      const reason = new Error('enough')
      let it: Client | undefined
      let opens = 0
      let lives = 0
      const closes: (Error | undefined)[] = []
      const stop = () => {
        if (lives !== life) return
        if (way === 'abort') abort.abort(reason)
        else it?.[way]()
      }
      const connecting = client(t, {
        to: server.to,
        signal: abort.signal,
        data() {
          lives++
          if (handler === 'data') stop()
          return undefined
        },
        open() {
          opens++
          if (handler === 'open') stop()
        },
        message: () => {},
        state(client) {
          it = client
          states.note(client)
        },
        close(_conn, error) {
          closes.push(error)
          closed.up()
        },
      })
      const ending = connecting.then((client) => client.closed).catch((error) => error)
      // Its first try fails, so that we have it before it is connected.
      await states.of('waiting').reaches(1)
      await server.start()
      if (life === 2) {
        await states.of('open').reaches(1)
        await server.arrived.reaches(1)
        server.drop()
      }
      const ended = await ending
      if (way === 'abort') t.is(ended, reason)
      else if (life === 1) t.is(codeOf(ended), 'ERR_CLOSED')
      else t.is(ended, undefined)
      await closed.reaches(life)
      t.is(it?.state, 'closed')
      t.is(it?.conn, undefined)
      t.is(states.of('open').value, life - 1)
      t.is(states.of('closed').value, 1)
      await turns(20)
      t.is(states.all.at(-1), 'closed')
      t.is(opens, life)
      t.deepEqual(closes, [
        ...Array.from({ length: life - 1 }, () => undefined),
        way === 'abort' ? reason : undefined,
      ])
    })
  }
}

test('a signal stops it wherever it is, with its reason', async (t) => {
  const reason = new Error('enough')
  for (const when of ['waiting', 'connecting', 'open'] as const) {
    const server = await peer(t)
    const abort = new AbortController()
    let isDue = false
    const it = await client(t, {
      to: server.to,
      signal: abort.signal,
      message: () => {},
      state(client) {
        if (isDue && client.state === when) abort.abort(reason)
      },
    })
    isDue = true
    if (when === 'open') abort.abort(reason)
    else await server.stop()
    t.is(await t.throwsAsync(it.closed), reason)
    t.is(it.state, 'closed')
  }
  const abort = new AbortController()
  const port = await deadPort()
  const waiting = gate()
  const never = client(t, {
    to: `tcp://127.0.0.1:${port}`,
    signal: abort.signal,
    reconnect: { min: 60_000 },
    state: () => waiting.open(),
  } as Options)
  await waiting.passed
  abort.abort(reason)
  t.is(await t.throwsAsync(never), reason)
  t.is(await t.throwsAsync(client(t, { to: 'tcp://127.0.0.1:1', signal: abort.signal })), reason)
})

test('end sends what was written, and await using waits for it', async (t) => {
  const got = gate<string>()
  const server = await start(t, {
    codec: line(),
    message: (_conn, text) => got.open(String(text)),
  })
  {
    await using it = await redial(t, {
      to: `tcp://127.0.0.1:${server.port}`,
      codec: line(),
      reconnect: AT_ONCE,
    })
    it.write('last words')
  }
  t.is(await got.passed, 'last words')
})

test('an open that throws is a failure like any other', async (t) => {
  const server = await peer(t)
  const closes: (string | undefined)[] = []
  const thrown = Object.assign(new Error('of the user'), { code: 'MINE' })
  const connecting = redial(t, {
    to: server.to,
    reconnect: { ...AT_ONCE, attempts: 3 },
    open() {
      throw thrown
    },
    close: (_conn, error) => void closes.push(codeOf(error)),
  })
  t.is(await t.throwsAsync(connecting), thrown)
  await turns(20)
  t.deepEqual(closes, ['MINE', 'MINE', 'MINE'])
})

test('a throw of the state callback goes to error, and stops nothing', async (t) => {
  const server = await peer(t)
  const told: string[] = []
  const it = await client(t, {
    to: server.to,
    state() {
      throw new Error('of the user')
    },
    error: (error) => void told.push(error.message),
  })
  t.is(it.state, 'open')
  t.deepEqual(told, ['of the user'])
})

test('an async state callback that rejects is told like any other failure of a handler', async (t) => {
  const server = await peer(t)
  const told = gate<Error>()
  const it = await client(t, {
    to: server.to,
    state: async () => Promise.reject(new Error('of the user')),
    error: (error) => told.open(error),
  })
  t.is((await told.passed).message, 'of the user')
  t.is(it.state, 'open')
})

test('a message that is encoded for one connection cannot wait for another', async (t) => {
  const server = await peer(t)
  const states = new States()
  const codec = () => line()
  const option = { code: 'ERR_INVALID_OPTION' }
  await t.throwsAsync(client(t, { to: server.to, codec, offline: 'queue' }), option)
  const it = await client(t, { to: server.to, codec, state: states.note })
  await server.arrived.reaches(1)
  await server.stop()
  await states.of('waiting').reaches(1)
  t.false(it.write('nowhere'))
})

test('options that do not fit are refused', async (t) => {
  const to = 'tcp://127.0.0.1:1'
  const option = { code: 'ERR_INVALID_OPTION' }
  const bad: object[] = [
    { min: 0 },
    { min: 5, max: 4 },
    { max: '1s' },
    { factor: 0.5 },
    { jitter: 1.5 },
    { jitter: Number.NaN },
    { attempts: 0 },
    { retries: 3 },
  ]
  for (const reconnect of bad) await t.throwsAsync(connect({ to, reconnect }), option)
  const others: object[] = [
    { offline: 'drop' },
    { maxOffline: 0 },
    { maxOffline: 2, maxWriteBuffer: 1, highWaterMark: 1 },
    { state: 'open' },
  ]
  for (const each of others)
    await t.throwsAsync(connect({ to, reconnect: true as const, ...each }), option)
})

test('a loop that is lost is one more loss: the next connection has another', async (t) => {
  const server = await peer(t)
  const states = new States()
  const closes: (string | undefined)[] = []
  const it = await client(t, {
    to: server.to,
    loops: 2,
    message: () => {},
    state: states.note,
    close: (_conn, error) => void closes.push(codeOf(error)),
  })
  for (let life = 1; life <= 3; life++) {
    // The second time it is the last of them, and new ones are started.
    injectPanic(theEnvironment().handle, it.conn?.loop as number)
    await states.of('open').reaches(life + 1)
  }
  t.deepEqual(closes, ['ERR_LOOP_PANIC', 'ERR_LOOP_PANIC', 'ERR_LOOP_PANIC'])
  t.is(it.state, 'open')
})
