import test from 'ava'
import { connect } from 'millrace'
import { injectPanic } from '../lib/native/binding.js'
import { theEnvironment } from '../lib/runtime/environment.js'
import { Count } from './support/counts.js'
import { codeOf, gate } from './support/gate.js'
import { client, peer, States } from './support/reconnect.js'

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
