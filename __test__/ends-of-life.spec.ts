import test from 'ava'
import { closed, connect, readAll } from './support/client.js'
import { type Fixture, launch } from './support/process.js'

const IS_FULL = process.env.MILLRACE_TEST_FULL === '1'
const LOOPS = [1, 2, 'inline'] as const
/** For each kind of loops: 500 workers and 200 exits in all before a release, otherwise a few seconds' worth. */
const WORKERS = IS_FULL ? 167 : 16
const CLIENTS = IS_FULL ? 100 : 8
const EXITS = IS_FULL ? 67 : 6

for (const loops of LOOPS) {
  test.serial(
    `${WORKERS} workers terminated inside a handler leave nothing behind (loops: ${loops})`,
    async (t) => {
      if (IS_FULL) t.timeout(600_000)
      const fixture = launch(t, 'terminate', { args: [WORKERS, 4, loops] })
      const left = JSON.parse(await fixture.line())
      t.deepEqual(left, { threads: [], descriptors: 0 })
      const { code, signal, stderr } = await fixture.ended
      t.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
    },
  )

  if (process.platform === 'linux') {
    test.serial(
      `${CLIENTS} workers terminated with open and pending connections and waiting clients leave nothing behind (loops: ${loops})`,
      async (t) => {
        if (IS_FULL) t.timeout(600_000)
        const fixture = launch(t, 'terminate-clients', { args: [CLIENTS, 4, loops] })
        const left = JSON.parse(await fixture.line())
        t.deepEqual(left, { threads: [], descriptors: 0 })
        const { code, signal, stderr } = await fixture.ended
        t.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
      },
    )
  }

  test.serial(
    `process.exit() in a handler sends the reply and exits with its code, ${EXITS} times (loops: ${loops})`,
    async (t) => {
      if (IS_FULL) t.timeout(600_000)
      let left = EXITS
      const one = async () => {
        while (left-- > 0) {
          const fixture = launch(t, 'exit', { args: ['process.exit in message', loops, 7] })
          t.is(await request(fixture), 'reply')
          const { code, signal } = await fixture.ended
          t.deepEqual({ code, signal }, { code: 7, signal: null })
        }
      }
      await Promise.all([one(), one()])
    },
  )
}

/** Sends one request and reads until the other side ends. */
async function request(fixture: Fixture): Promise<string> {
  const socket = await connect(Number(await fixture.line()))
  socket.write('request')
  const reply = await readAll(socket).catch(() => Buffer.from('reset'))
  await closed(socket)
  return reply.toString()
}

/** The ways to end a process that has replied, and the outcome of each. */
const WAYS = [
  { way: 'running dry', code: 3, reply: 'reply' },
  { way: 'abort of the close', code: 4, reply: 'reply' },
  { way: 'uncaught exception', code: 1, reply: '', stderr: /from the handler/ },
  { way: 'unhandled rejection', code: 1, reply: '', stderr: /from the handler/ },
] as const

for (const loops of LOOPS) {
  for (const { way, code, reply, ...rest } of WAYS) {
    test.serial(`a process ends by ${way} (loops: ${loops})`, async (t) => {
      const fixture = launch(t, 'exit', { args: [way, loops, code] })
      t.is(await request(fixture), reply)
      const end = await fixture.ended
      t.deepEqual({ code: end.code, signal: end.signal }, { code, signal: null })
      t.regex(end.stderr, 'stderr' in rest ? rest.stderr : /^$/)
    })

    test.serial(`a worker ends by ${way} and its process goes on (loops: ${loops})`, async (t) => {
      const fixture = launch(t, 'exit', { args: [`worker: ${way}`, loops, code] })
      t.is(await request(fixture), reply)
      const errors = 'stderr' in rest ? ['error from the handler'] : []
      t.deepEqual(await fixture.rest(), [...errors, `exit ${code}`, 'threads 0'])
      const end = await fixture.ended
      t.deepEqual(end, { code: 0, signal: null, stderr: '' })
    })
  }

  test.serial(
    `a worker ends by process.exit() in a handler and its process goes on (loops: ${loops})`,
    async (t) => {
      const fixture = launch(t, 'exit', { args: ['worker: process.exit in message', loops, 5] })
      t.is(await request(fixture), 'reply')
      t.deepEqual(await fixture.rest(), ['exit 5', 'threads 0'])
      t.is((await fixture.ended).code, 0)
    },
  )
}

for (const loops of LOOPS) {
  test(`process.exit() does not reset a connection whose input is unread (loops: ${loops})`, async (t) => {
    const length = 100_000
    const fixture = launch(t, 'linger-exit', { args: [loops, length] })
    const socket = await connect(Number(await fixture.line()))
    socket.write('x')
    t.is((await readAll(socket)).length, length)
    t.is((await fixture.ended).code, 0)
  })
}
