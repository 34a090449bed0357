/** Sockets and their loops while a name is looked up. */

import dns from 'node:dns/promises'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import test from 'ava'
import { bind, type Conn, connect, type Server } from 'millrace'
import { theEnvironment } from '../lib/runtime/environment.js'
import { deferred } from '../lib/util/deferred.js'
import { connect as connectStream } from './support/client.js'
import { peer } from './support/datagrams.js'
import { gate } from './support/gate.js'
import { descriptors, millraceThreadsOf } from './support/proc.js'
import { start } from './support/serve.js'

/** The answer to the next lookup, and a promise that resolves when it is asked for. */
let answer = deferred<string>()
let asked = deferred<void>()

dns.lookup = (async () => {
  asked.resolve()
  const address = await answer.promise
  return [{ address, family: net.isIP(address) }]
}) as unknown as typeof dns.lookup
syncBuiltinESMExports()

test.beforeEach(() => {
  answer = deferred()
  asked = deferred()
})

/** Ways to look up a name on the loops of a server. */
const WAYS = {
  bind: (server: Server, _: Conn, _port: number) =>
    bind({ address: 'udp://a-name:0', loops: server, message() {} }),
  connect: (_: Server, conn: Conn, port: number) =>
    connect({ to: `udp://a-name:${port}`, loop: conn, message() {} }),
} as const

for (const [name, way] of Object.entries(WAYS)) {
  test.serial(
    `${name}: loops whose server closes during the lookup stay until the socket is closed`,
    async (t) => {
      const { passed, open } = gate<Conn>()
      const server = await start(t, { loops: 1, open })
      const stream = await connectStream(server.port)
      const to = await peer(t)
      const made = way(server, await passed, to.port)
      await asked.promise
      await server.close({ timeout: 0 })
      stream.destroy()
      answer.resolve('127.0.0.1')
      const socket = await made
      t.teardown(() => socket.close())
      const send = socket.send.bind(socket) as (text: string, to?: string) => boolean
      send('hello', name === 'bind' ? `127.0.0.1:${to.port}` : undefined)
      t.is(String(await to.next()), 'hello')
      await socket.close()
      t.deepEqual(await millraceThreadsOf(0), [])
    },
  )

  test.serial(
    `${name}: a name that is not found leaves no loop and no descriptor behind`,
    async (t) => {
      const before = descriptors()
      const { passed, open } = gate<Conn>()
      const server = await start(t, { loops: 1, open })
      const stream = await connectStream(server.port)
      const made = way(server, await passed, 9)
      await asked.promise
      await server.close({ timeout: 0 })
      stream.destroy()
      answer.reject(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }))
      await t.throwsAsync(made, { code: 'ENOTFOUND' })
      t.deepEqual(await millraceThreadsOf(0), [])
      t.deepEqual([...theEnvironment().origins.keys()], [])
      t.true(descriptors() <= before)
    },
  )
}

const ABORTED = {
  bind: (signal: AbortSignal) => bind({ address: 'udp://a-name:0', loops: 1, signal }),
  connect: (signal: AbortSignal) => connect({ to: 'udp://a-name:9', loops: 1, signal }),
} as const

for (const [name, way] of Object.entries(ABORTED)) {
  test.serial(
    `${name}: an abort does not wait for the lookup, whose answer is ignored`,
    async (t) => {
      const reason = new Error('enough')
      const abort = new AbortController()
      const made = way(abort.signal)
      await asked.promise
      abort.abort(reason)
      t.is(await t.throwsAsync(made), reason)
      t.deepEqual(await millraceThreadsOf(0), [])
      answer.resolve('127.0.0.1')
      await answer.promise
      t.deepEqual([...theEnvironment().origins.keys()], [])
      t.deepEqual(await millraceThreadsOf(0), [])
    },
  )
}

for (const [name, way] of Object.entries({
  bind: (signal: AbortSignal) => bind({ address: 'udp://127.0.0.1:0', loops: 1, signal }),
  connect: (signal: AbortSignal) => connect({ to: 'udp://127.0.0.1:9', loops: 1, signal }),
})) {
  test.serial(`${name}: an abort at any moment ends the socket`, async (t) => {
    // Aborts right after the signal was looked at for the nth time.
    const abortAfter = async (looks: number) => {
      const abort = new AbortController()
      let left = looks
      const isAborted = () => Reflect.get(AbortSignal.prototype, 'aborted', abort.signal) as boolean
      Object.defineProperty(abort.signal, 'aborted', {
        get() {
          const result = isAborted()
          if (--left === 0) queueMicrotask(() => abort.abort())
          return result
        },
      })
      const ended = await way(abort.signal).then(
        async (socket) => {
          const { readyState } = socket
          await socket.close()
          return readyState
        },
        (error: Error) => error.name,
      )
      return left > 0 ? 'not looked at as often' : ended
    }
    const results: string[] = []
    do results.push(await abortAfter(results.length + 1))
    while (results.at(-1) !== 'not looked at as often')
    t.true(results.length > 2)
    for (const result of results.slice(0, -1)) t.true(['AbortError', 'closed'].includes(result))
  })
}

test.serial('connect: a timeout also ends the lookup, whose answer is ignored', async (t) => {
  const made = connect({ to: 'udp://a-name:9', loops: 1, timeout: 1 })
  await asked.promise
  const error = await t.throwsAsync(made, { code: 'ERR_CONNECT_TIMEOUT' })
  t.is(error?.message, 'not connected to udp://a-name:9 within 1 ms')
  t.deepEqual(await millraceThreadsOf(0), [])
  answer.resolve('127.0.0.1')
  await answer.promise
  t.deepEqual([...theEnvironment().origins.keys()], [])
  t.deepEqual(await millraceThreadsOf(0), [])
})

test.serial(
  'connect: a lookup that fails after the timeout is no unhandled rejection',
  async (t) => {
    const made = connect({ to: 'udp://a-name:9', loops: 1, timeout: 1 })
    await asked.promise
    await t.throwsAsync(made, { code: 'ERR_CONNECT_TIMEOUT' })
    answer.reject(new Error('not found'))
    // An unhandled rejection would end the process.
    await new Promise(setImmediate)
    t.deepEqual([...theEnvironment().origins.keys()], [])
  },
)

test.serial('connect: a name that is found before the timeout is connected to', async (t) => {
  const to = await peer(t)
  const made = connect({ to: `udp://a-name:${to.port}`, loops: 1, timeout: 2 ** 31 - 1 })
  await asked.promise
  answer.resolve('127.0.0.1')
  const socket = await made
  t.teardown(() => socket.close())
  socket.send('hello')
  t.is(String(await to.next()), 'hello')
})

test.serial('an abort after binding, but before bind resolves, closes the socket', async (t) => {
  const abort = new AbortController()
  const events: string[] = []
  const made = bind({
    address: 'udp://a-name:0',
    loops: 1,
    signal: abort.signal,
    close: () => events.push('close'),
    error: () => events.push('error'),
  })
  answer.resolve('127.0.0.1')
  while (theEnvironment().origins.size === 0) await Promise.resolve()
  abort.abort()
  t.regex(String(await made.catch(String)), /AbortError/)
  t.deepEqual(events, [])
  t.deepEqual(await millraceThreadsOf(0), [])
})
