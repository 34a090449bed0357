/** Limits in time of connected datagram sockets. */

import test, { type ExecutionContext } from 'ava'
import { type ConnectDatagramOptions, connect, type SilenceLimits } from 'millrace'
import { peer } from './support/datagrams.js'
import { codeOf, gate } from './support/gate.js'
import { LOOPS, RING_BYTES } from './support/serve.js'

const TIME = 100

/** Connects to a peer. Returns the socket, and the code with which it closes: `'early'` before its time. */
async function connected(t: ExecutionContext, options: Partial<ConnectDatagramOptions>) {
  const other = await peer(t)
  const ended = gate<Error | undefined>()
  const before = performance.now()
  const socket = await connect({
    to: `udp://127.0.0.1:${other.port}`,
    loops: LOOPS,
    ringBytes: RING_BYTES,
    close: (_socket, error) => ended.open(error),
    ...options,
  })
  t.teardown(() => socket.close())
  const closed = ended.passed.then((error) =>
    performance.now() - before < TIME ? 'early' : codeOf(error),
  )
  return { other, socket, closed }
}

test('a silent peer closes the socket with ERR_RECEIVE_TIMEOUT, whatever is sent', async (t) => {
  const { socket, closed } = await connected(t, { timeouts: { receive: TIME }, message() {} })
  const sending = setInterval(() => socket.send('hello'), TIME / 10)
  t.is(await closed, 'ERR_RECEIVE_TIMEOUT')
  clearInterval(sending)
})

test('silence in both directions closes the socket with ERR_IDLE_TIMEOUT', async (t) => {
  const { closed } = await connected(t, { timeouts: { idle: TIME }, message() {} })
  t.is(await closed, 'ERR_IDLE_TIMEOUT')
})

test('the handler idle runs instead, each time anew', async (t) => {
  const { other, closed, socket } = await connected(t, {
    timeouts: { idle: TIME },
    message() {},
    idle: (socket) => socket.send('ping'),
  })
  for (let times = 0; times < 3; times++) t.is(String(await other.next()), 'ping')
  await socket.close()
  t.is(await closed, undefined)
})

test('a pull that waits throws what the socket closed with', async (t) => {
  const { socket } = await connected(t, { timeouts: { receive: TIME } })
  await t.throwsAsync(socket[Symbol.asyncIterator]().next(), { code: 'ERR_RECEIVE_TIMEOUT' })
})

test('the times stand still while the socket is paused, or nobody pulls', async (t) => {
  const paused = await connected(t, { timeouts: { receive: TIME }, message() {} })
  paused.socket.pause()
  const unpulled = await connected(t, { timeouts: { receive: TIME } })
  for (let times = 0; times < 3; times++) {
    const clock = await connected(t, { timeouts: { receive: TIME }, message() {} })
    await clock.closed
  }
  t.is(paused.socket.readyState, 'open')
  t.is(unpulled.socket.readyState, 'open')
  paused.socket.resume()
  t.is(await paused.closed, 'ERR_RECEIVE_TIMEOUT')
  const pulled = unpulled.socket[Symbol.asyncIterator]().next()
  await t.throwsAsync(pulled, { code: 'ERR_RECEIVE_TIMEOUT' })
})

test('the limits are checked', async (t) => {
  for (const timeouts of [{ idle: -1 }, { write: 5 }, { receive: '5' }, 7]) {
    const wrong = connected(t, { timeouts: timeouts as SilenceLimits })
    await t.throwsAsync(wrong, { code: 'ERR_INVALID_OPTION' })
  }
  const wrong = connected(t, { idle: 5 as never })
  await t.throwsAsync(wrong, { code: 'ERR_INVALID_OPTION' })
})
