import { closeSync } from 'node:fs'
import test from 'ava'
import { balancesPorts } from '../lib/native/binding.js'
import { theEnvironment } from '../lib/runtime/environment.js'
import type { Loop } from '../lib/runtime/loop.js'
import { type Answer, Questions } from '../lib/runtime/questions.js'
import { injectPanic } from '../native.cjs'
import { Count } from './support/counts.js'
import { codeOf, gate } from './support/gate.js'
import { descriptors } from './support/proc.js'
import { ONE, start } from './support/serve.js'

/** A question to three loops, and a record of its outcome. */
function asked() {
  let held = 0
  const questions = new Questions((change) => {
    held += change
  })
  const loops = [{}, {}, {}] as Loop[]
  const late: Answer[] = []
  let ticket = -1
  const answer = questions.ask(
    loops,
    (number) => {
      ticket = number
    },
    (each) => late.push(each),
  )
  const tell = (value: number) => questions.answered(ticket, { errno: 0, value })
  return { questions, loops: loops as [Loop, Loop, Loop], late, answer, tell, held: () => held }
}

test('a question survives the loss of loops that were not going to answer it', async (t) => {
  const { questions, loops, late, answer, tell, held } = asked()
  questions.lost(loops[1])
  questions.stopped(loops[2])
  t.is(held(), 1)
  tell(7)
  t.deepEqual(await answer, { errno: 0, value: 7 })
  t.deepEqual(late, [])
  t.is(held(), 0)
})

for (const [how, code] of [
  ['lost', 'ERR_LOOP_PANIC'],
  ['stopped', 'ERR_CLOSED'],
] as const) {
  test(`an answer that comes after its question was rejected with ${code} is handled once`, async (t) => {
    const { questions, loops, late, answer, tell, held } = asked()
    questions[how](loops[0])
    await t.throwsAsync(answer, { code })
    t.is(held(), 0)
    questions[how](loops[1])
    tell(7)
    tell(8)
    t.deepEqual(late, [{ errno: 0, value: 7 }])
    t.is(held(), 0)
  })
}

test('a question whose loops are all lost expects no late answer', async (t) => {
  const { questions, loops, late, answer, tell, held } = asked()
  for (const loop of loops) questions.lost(loop)
  await t.throwsAsync(answer, { code: 'ERR_LOOP_PANIC' })
  tell(7)
  t.deepEqual(late, [])
  t.is(held(), 0)
})

for (const [how, flag, code] of [
  ['lost', 'isLost', 'ERR_LOOP_PANIC'],
  ['stopped', 'isStopped', 'ERR_CLOSED'],
] as const) {
  test(`a question to loops that are already ${how} is not asked, and rejects with ${code}`, async (t) => {
    let held = 0
    const questions = new Questions((change) => {
      held += change
    })
    const gone = { [flag]: true } as unknown as Loop
    for (const loops of [[gone], [gone, gone]])
      await t.throwsAsync(
        questions.ask(loops, () => t.fail()),
        { code },
      )
    t.is(held, 0)
    const alive = {} as Loop
    const answer = questions.ask([gone, alive], (ticket) =>
      questions.answered(ticket, { errno: 0, value: ticket }),
    )
    // The live loop is the one that has to answer.
    questions.lost(gone)
    questions.stopped(alive)
    await t.throwsAsync(answer, { code: 'ERR_CLOSED' })
    t.is(held, 0)
  })
}

test('a question to no loops is not asked, and rejects', async (t) => {
  const questions = new Questions(() => t.fail())
  await t.throwsAsync(
    questions.ask([], () => t.fail()),
    { code: 'ERR_CLOSED' },
  )
})

for (const reusePort of balancesPorts() ? [false, true] : [false]) {
  for (const loops of [ONE, 2] as const) {
    test.serial(
      `pause, resume and dup reject on a listener whose loops are lost (loops: ${loops}, reusePort: ${reusePort})`,
      async (t) => {
        const asked = gate<(string | undefined)[]>()
        let isAsked = false
        const code = (promise: Promise<unknown>) => promise.then(() => 'done', codeOf)
        const server = await start(t, {
          loops,
          reusePort,
          message() {},
          error() {
            const [listener] = server.listeners
            const { loops } = theEnvironment()
            const isLast = server.stats().loops.every(({ loop }) => loops[loop]?.isLost)
            if (listener === undefined || !isLast || isAsked) return
            isAsked = true
            const all = [listener.pause(), listener.resume(), listener.dup()]
            void Promise.all(all.map(code)).then(asked.open)
          },
        })
        for (const { loop } of server.stats().loops) injectPanic(theEnvironment().handle, loop)
        const several = reusePort && loops === 2
        const dup = several || process.platform === 'win32' ? 'ERR_UNSUPPORTED' : 'ERR_LOOP_PANIC'
        t.deepEqual(await asked.passed, ['ERR_LOOP_PANIC', 'ERR_LOOP_PANIC', dup])
      },
    )
  }
}

if (process.platform !== 'win32') {
  test.serial('dup resolves although loops that were not going to answer are lost', async (t) => {
    const failed = new Count()
    const server = await start(t, { loops: 3, message() {}, error: () => failed.up() })
    const [, second, third] = server.stats().loops
    const one = server.dup()
    for (const each of [second, third]) injectPanic(theEnvironment().handle, each?.loop as number)
    const two = server.dup()
    await failed.reaches(2)
    for (const descriptor of [await one, await two]) closeSync(descriptor)
    t.pass()
  })

  test.serial('dup leaves no descriptor behind if its loop is lost', async (t) => {
    const before = descriptors()
    for (let round = 0; round < 20; round++) {
      const failed = new Count()
      const server = await start(t, { loops: 2, message() {}, error: () => failed.up() })
      const dup = server.dup().then(closeSync, (error) => t.is(error.code, 'ERR_LOOP_PANIC'))
      injectPanic(theEnvironment().handle, server.stats().loops[0]?.loop as number)
      await dup
      await failed.reaches(1)
      await server.close()
    }
    t.is(descriptors(), before)
  })

  test.serial('a dup that was called before close resolves', async (t) => {
    const before = descriptors()
    for (let round = 0; round < 50; round++) {
      for (const loops of [ONE, 2] as const) {
        const server = await start(t, { loops, message() {} })
        const asked = server.dup()
        const closing = server.close({ timeout: 0 })
        closeSync(await asked)
        await closing
      }
    }
    t.is(descriptors(), before)
  })
}
