import test from 'ava'
import { connect } from 'millrace'
import { injectPanic } from '../lib/native/binding.js'
import { theEnvironment } from '../lib/runtime/environment.js'
import { Count } from './support/counts.js'
import { codeOf, gate } from './support/gate.js'
import { client, peer, States } from './support/reconnect.js'

test('connect with reconnect keeps trying until the first connection is open', async (t) => {
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

test('every lost connection is replaced, and each has one open and one close', async (t) => {
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

test('an error thrown in the state callback goes to error and does not stop the client', async (t) => {
  const server = await peer(t)
  const told: string[] = []
  const it = await client(t, {
    to: server.to,
    state() {
      throw new Error('from the handler')
    },
    error: (error) => void told.push(error.message),
  })
  t.is(it.state, 'open')
  t.deepEqual(told, ['from the handler'])
})

test('the rejection of an async state callback goes to error', async (t) => {
  const server = await peer(t)
  const told = gate<Error>()
  const it = await client(t, {
    to: server.to,
    state: async () => Promise.reject(new Error('from the handler')),
    error: (error) => told.open(error),
  })
  t.is((await told.passed).message, 'from the handler')
  t.is(it.state, 'open')
})

test('invalid options for reconnecting are refused', async (t) => {
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

test('a client reconnects on another loop when its loop is lost', async (t) => {
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
    // The second panic kills the last loop, so new loops are started.
    injectPanic(theEnvironment().handle, it.conn?.loop as number)
    await states.of('open').reaches(life + 1)
  }
  t.deepEqual(closes, ['ERR_LOOP_PANIC', 'ERR_LOOP_PANIC', 'ERR_LOOP_PANIC'])
  t.is(it.state, 'open')
})
