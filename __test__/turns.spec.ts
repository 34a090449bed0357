import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { line, map } from 'millrace'
import { connect, read } from './support/client.js'
import { Count } from './support/counts.js'
import { start } from './support/serve.js'

const MESSAGES = 20_000

/** Sends lines as fast as the server takes them, from a separate thread. */
function flood(t: ExecutionContext, port: number, length: number): Worker {
  const worker = new Worker(
    `const { workerData: { port, length, count } } = require('node:worker_threads')
     const socket = require('node:net').connect(port, '127.0.0.1')
     socket.on('error', () => {})
     socket.resume().write(('x'.repeat(length - 1) + '\\n').repeat(count))`,
    { eval: true, execArgv: [], workerData: { port, length, count: MESSAGES } },
  )
  t.teardown(() => worker.terminate())
  return worker
}

/** Blocks the thread for that many milliseconds. */
function work(milliseconds: number): void {
  const until = performance.now() + milliseconds
  while (performance.now() < until);
}

for (const [what, milliseconds, most] of [
  // A pump takes at most 4,096 records, and with an inline loop there may be two pumps in one turn.
  ['quick', 0, 2 * 4096],
  // Or as many as it can in 2 ms; it checks the clock every 64 records.
  ['slow', 0.05, 4 * 64],
] as const) {
  test.serial(`setImmediate and timers still run during a flood of ${what} messages`, async (t) => {
    const handled = new Count()
    let turns = 0
    let ticks = 0
    let since = 0
    let longest = 0
    const server = await start(t, {
      codec: line(),
      message() {
        work(milliseconds)
        since++
        handled.up()
      },
    })
    let isOver = false
    const again = () => {
      turns++
      longest = Math.max(longest, since)
      since = 0
      if (!isOver) setImmediate(again)
    }
    again()
    const timer = setInterval(() => ticks++, 10)
    t.teardown(() => clearInterval(timer))
    flood(t, server.port, 8)
    await handled.reaches(MESSAGES)
    isOver = true
    t.true(longest <= most, `${longest} messages without a turn`)
    t.true(turns >= MESSAGES / most)
    // The work takes a second.
    if (milliseconds > 0) t.true(ticks >= 10, `${ticks} ticks`)
  })
}

test.serial('a quiet connection is answered while another floods', async (t) => {
  const handled = new Count()
  const server = await start(t, {
    codec: map(line(), String, (text: string) => text),
    message(conn, text) {
      if (text === 'ping') conn.write('pong')
      else handled.up()
    },
  })
  const quiet = await connect(server.port)
  flood(t, server.port, 1000)
  let pongs = 0
  while (handled.value < MESSAGES) {
    quiet.write('ping\n')
    t.is((await read(quiet, 5)).toString(), 'pong\n')
    if (handled.value > 0 && handled.value < MESSAGES) pongs++
  }
  t.true(pongs >= 5, `${pongs} answers`)
})

test.serial('promises and ticks of a handler run before the next pump', async (t) => {
  const order: string[] = []
  const server = await start(t, {
    codec: map(line(), String, (text: string) => text),
    async message(conn, text) {
      order.push(text)
      await null
      order.push(`${text} later`)
      if (text === 'c') process.nextTick(() => conn.end())
    },
  })
  const socket = await connect(server.port)
  socket.resume().write('a\nb\nc\n')
  await once(socket, 'close')
  t.deepEqual(
    order.filter((each) => !each.endsWith('later')),
    ['a', 'b', 'c'],
  )
  t.is(order.length, 6)
})
