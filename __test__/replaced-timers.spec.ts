/** Tests replace Node's timers, ticks and clocks. The network goes on meanwhile. */

import { performance } from 'node:perf_hooks'
import test from 'ava'
import { type Conn, line, pipe, pipeFrom } from 'millrace'
import { bound } from './support/datagrams.js'
import { dial } from './support/dial.js'
import { gate } from './support/gate.js'
import { ONE, start } from './support/serve.js'

/** Replaces everything that has to do with time by what does nothing, until `run` has settled. */
async function frozen(run: () => Promise<void>): Promise<void> {
  const places = [
    [globalThis, ['setImmediate', 'setTimeout', 'clearTimeout', 'queueMicrotask']],
    [process, ['nextTick']],
    [performance, ['now']],
  ] as const
  const before = places.map(([place, names]) =>
    names.map((name) => [place, name, Reflect.get(place, name)] as const),
  )
  for (const [place, name] of before.flat())
    Reflect.set(place, name, () => (name === 'now' ? 0 : undefined))
  try {
    await run()
  } finally {
    for (const [place, name, value] of before.flat()) Reflect.set(place, name, value)
  }
}

test.serial(
  'messages, ends, pauses, pipes and timeouts do not need the global timers',
  async (t) => {
    await frozen(async () => {
      const accepted = gate<Conn<Buffer, string>>()
      const server = await start<Buffer, string>(t, {
        loops: ONE,
        codec: line(),
        open: (conn) => accepted.open(conn),
        message: (conn, text) => void conn.write(String(text)),
      })
      const to = `tcp://127.0.0.1:${server.port}`
      const client = await dial<Buffer, string>(t, { to, codec: line() })
      const answers = client[Symbol.asyncIterator]()
      client.write('one')
      t.is(String((await answers.next()).value), 'one')
      const conn = await accepted.passed
      conn.pause()
      client.write('two')
      await client.flushed()
      conn.resume()
      t.is(String((await answers.next()).value), 'two')
      await pipeFrom(client, ['three', 'four'])
      t.is(String((await answers.next()).value), 'three')
      t.is(String((await answers.next()).value), 'four')

      const other = await dial<Buffer, string>(t, { to, codec: line() })
      const third = await dial<Buffer, string>(t, { to, codec: line() })
      const joined = pipe(other, third)
      other.close()
      t.is((await joined).error, undefined)

      client.end()
      t.true((await answers.next()).done)
      const limited = gate<Error | undefined>()
      await dial(t, {
        to,
        message() {},
        timeouts: { idle: 10 },
        close: (_conn, error) => limited.open(error),
      })
      t.is(((await limited.passed) as NodeJS.ErrnoException).code, 'ERR_IDLE_TIMEOUT')

      const received = gate<string>()
      const socket = await bound(t, {
        loops: ONE,
        message: (_socket, bytes) => received.open(String(bytes)),
      })
      const sender = await bound<Buffer, string>(t, { loops: ONE, message() {} })
      sender.send('a datagram', `127.0.0.1:${socket.port}`)
      t.is(await received.passed, 'a datagram')
      await Promise.all([server.close({ timeout: 10_000 }), socket.close(), sender.close()])
    })
  },
)
