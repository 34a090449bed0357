import test, { type ExecutionContext } from 'ava'
import { type ClientState, connect, type MillraceError } from 'millrace'
import { waitBefore, wasSuccess } from '../lib/client/backoff.js'
import { Count } from './support/counts.js'
import { peer as peerOf, redial } from './support/dial.js'
import { codeOf } from './support/gate.js'
import { AT_ONCE, peer, States } from './support/reconnect.js'
import { turns } from './support/turns.js'

/** Replaces the clock that measures connections until the test ends. Only the test advances it. */
function clock(t: ExecutionContext): { now: number } {
  const { now } = performance
  const time = { now: performance.now() }
  performance.now = () => time.now
  t.teardown(() => {
    performance.now = now
  })
  return time
}

test('waits grow by factor up to max, and jitter shortens them', (t) => {
  const backoff = { min: 100, max: 1000, factor: 2, jitter: 0.5, attempts: 9 }
  const waits = (chance: number) =>
    [0, 1, 2, 3, 4, 5, 50].map((n) => waitBefore(backoff, n, chance))
  t.deepEqual(waits(0), [100, 100, 200, 400, 800, 1000, 1000])
  t.deepEqual(waits(1), [50, 50, 100, 200, 400, 500, 500])
  t.is(waitBefore({ ...backoff, jitter: 1 }, 3, 1), 0)
  t.is(waitBefore({ ...backoff, factor: 1 }, 5000, 0), 100)
  t.is(waitBefore({ ...backoff, factor: 1000 }, 5000, 0), 1000)
})

test('a client gives up after `attempts` failures in a row', async (t) => {
  const server = await peer(t, false)
  const states = new States()
  const reconnect = { ...AT_ONCE, attempts: 3 }
  const connecting = connect({ to: server.to, reconnect, state: states.note })
  const error = await t.throwsAsync<MillraceError>(connecting)
  t.is(error.code, 'ECONNREFUSED')
  t.deepEqual(states.all, ['waiting', 'connecting', 'waiting', 'connecting', 'closed'])
})

test.serial(
  'the count of failures restarts after a connection that received data and lasted as long as the wait before it',
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
    // The last connection also receives data and lasts long enough.
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
    `a peer that ${what} counts as a failure each time, like a peer that refuses`,
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

test('a connection is a success if it received something and lasted the wait before it, or lasted the longest wait', (t) => {
  const backoff = { min: 10, max: 1000, factor: 2, jitter: 0.5, attempts: 9 }
  const isSuccess = (failures: number, received: number, lasted: number) =>
    wasSuccess(backoff, failures, { received, lasted })
  for (const [failures, wait] of [
    [0, 10],
    [1, 10],
    [2, 20],
    [5, 160],
    [99, 1000],
  ] as const) {
    t.false(isSuccess(failures, 1, wait - 1))
    t.true(isSuccess(failures, 1, wait))
    t.false(isSuccess(failures, 0, 999))
    t.true(isSuccess(failures, 0, 1000))
  }
})

test('an open that throws counts as a failure like any other', async (t) => {
  const server = await peer(t)
  const closes: (string | undefined)[] = []
  const thrown = Object.assign(new Error('from the handler'), { code: 'MINE' })
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
