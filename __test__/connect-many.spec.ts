import { randomBytes } from 'node:crypto'
import test from 'ava'
import { type Conn, connect, lengthField } from 'millrace'
import { Count } from './support/counts.js'
import { launch } from './support/process.js'
import { LOOPS, RING_BYTES } from './support/serve.js'

const CONNECTIONS = 5000
const MESSAGES = 10

test('5,000 connections opened at once exchange 10 messages each without loss', async (t) => {
  // The server has its own process: one process may not have descriptors for both sides.
  const server = launch(t, 'framed-echo')
  const to = await server.line()
  const bodies = Array.from({ length: MESSAGES }, (_, at) => randomBytes(20 * at))
  const [opens, answers, closes] = [new Count(), new Count(), new Count()]
  let wrong = 0
  const handlers = {
    to,
    codec: lengthField({ bytes: 4 }),
    context: () => ({ next: 0 }),
    open(conn: Conn<Buffer, Uint8Array | string, { next: number }>) {
      opens.up()
      for (const body of bodies) conn.write(body)
    },
    message(conn: Conn<Buffer, Uint8Array | string, { next: number }>, body: Buffer) {
      if (!body.equals(bodies[conn.context.next++] as Buffer)) wrong++
      answers.up()
    },
    close: (_conn: Conn<Buffer, Uint8Array | string, { next: number }>, error?: Error) => {
      if (error !== undefined) wrong++
      closes.up()
    },
  }
  // The others use the loops of the first, so that there are as many loops as the run asks for.
  const first = await connect({ ...handlers, loops: LOOPS, ringBytes: RING_BYTES })
  const others = await Promise.all(
    Array.from({ length: CONNECTIONS - 1 }, () => connect({ ...handlers, loop: first })),
  )
  const all = [first, ...others]
  t.is(opens.value, CONNECTIONS)
  t.is(new Set(all.map((conn) => conn.local)).size, CONNECTIONS)
  await answers.reaches(CONNECTIONS * MESSAGES)
  t.is(wrong, 0)
  t.true(all.every((conn) => conn.context.next === MESSAGES))
  for (const conn of all) conn.end()
  await closes.reaches(CONNECTIONS)
  t.is(wrong, 0)
  t.is(answers.value, CONNECTIONS * MESSAGES)
  t.is(await server.line(), String(CONNECTIONS * MESSAGES))
})
