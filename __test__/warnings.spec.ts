/** Errors without a handler become warnings: a bounded number of them, whatever codes they have. */

import { performance } from 'node:perf_hooks'
import test, { type ExecutionContext } from 'ava'
import { connectTo } from './support/client.js'
import { tally } from './support/gate.js'

/** The time that the library sees, in milliseconds. It reads the clock's function when it loads. */
let time = 5000
const { now } = performance
performance.now = () => time
const { ErrorReporter } = await import('../lib/util/error-reporter.js')
const { KINDS, listenOn } = await import('./support/kinds.js')
const { start } = await import('./support/serve.js')
const { bound, peer } = await import('./support/datagrams.js')
performance.now = now

/** Warnings of codes of their own within a second, and one for all others. */
const CODES = 16
const MOST = CODES + 1

function coded(code: string): Error {
  return Object.assign(new Error('nobody listens'), { code })
}

/** The codes of the warnings that the process emits until the test ends. Nothing is printed. */
function warnings(t: ExecutionContext): string[] {
  const seen: string[] = []
  const { emitWarning } = process
  process.emitWarning = ((error: NodeJS.ErrnoException) =>
    void seen.push(String(error.code))) as typeof emitWarning
  t.teardown(() => {
    process.emitWarning = emitWarning
  })
  return seen
}

const codes = (count: number, prefix = 'E') =>
  Array.from({ length: count }, (_, at) => `${prefix}${at}`)

test.serial('each of a few codes is warned about once a second, and the others share one', (t) => {
  const seen = warnings(t)
  const reporter = new ErrorReporter()
  const report = (all: string[]) => {
    for (const code of all) reporter.report(coded(code), undefined)
    return seen.splice(0)
  }
  for (let second = 0; second < 3; second++) {
    t.deepEqual(report(codes(1000)), codes(MOST))
    time += 999
    // Nothing is forgotten yet.
    t.deepEqual(report(codes(1000)), [])
    time += 1
  }
  // A code that comes later in the second has its second from then on, and makes room for another one after it.
  t.deepEqual(report(codes(10, 'A')), codes(10, 'A'))
  time += 500
  t.deepEqual(report(codes(10, 'B')), codes(7, 'B'))
  time += 500
  t.deepEqual(report([...codes(10, 'A'), ...codes(10, 'B')]), codes(9, 'A'))
  time += 10_000
  t.deepEqual(report(codes(2, 'B')), codes(2, 'B'))
})

test.serial('an error without a code counts by its name', (t) => {
  const seen = warnings(t)
  const reporter = new ErrorReporter()
  for (let at = 0; at < 3; at++)
    for (const error of [new TypeError('one'), new RangeError('two')])
      reporter.report(error, undefined)
  t.is(seen.length, 2)
})

for (const kind of KINDS) {
  test.serial(`peers cannot choose how many warnings a server emits, ${kind}`, async (t) => {
    const seen = warnings(t)
    const { all, hit } = tally(3 * MOST)
    const server = await start(t, {
      listen: listenOn(t, kind),
      message(_conn, bytes) {
        hit()
        throw coded(String(bytes))
      },
    })
    const sockets = await Promise.all(
      codes(3 * MOST).map(async (code) => {
        const socket = await connectTo(server.addresses[0])
        socket.resume().write(code)
        return socket
      }),
    )
    await all
    await server.close()
    t.is(seen.length, MOST)
    for (const socket of sockets) socket.destroy()
  })
}

test.serial('peers cannot choose how many warnings a datagram socket emits', async (t) => {
  const seen = warnings(t)
  const { all, hit } = tally(3 * MOST)
  const socket = await bound(t, {
    message(_socket, bytes) {
      hit()
      throw coded(String(bytes))
    },
  })
  const { send } = await peer(t)
  for (const code of codes(3 * MOST)) send(code, socket.port)
  await all
  await socket.close()
  t.is(seen.length, MOST)
})
