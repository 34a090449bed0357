/** Errors that come from a loop, which have no stack frames. */

import test from 'ava'
import { withoutFrames } from '../lib/util/frameless.js'
import { connect } from './support/client.js'
import { gate } from './support/gate.js'
import { start } from './support/serve.js'

test.serial(
  'an error that a connection was lost with has no frames, and those made later have',
  async (t) => {
    const lost = gate<Error | undefined>()
    const server = await start(t, {
      timeouts: { firstMessage: 1 },
      close: (_conn, error) => lost.open(error),
    })
    await connect(server.port)
    t.is((await lost.passed)?.stack?.split('\n').length, 1)
    t.true((new Error('later').stack?.split('\n').length ?? 0) > 1)
  },
)

test.serial('the limit on frames is as before, whatever is thrown', (t) => {
  const { stackTraceLimit } = Error
  t.throws(() =>
    withoutFrames(() => {
      throw new Error('thrown')
    }),
  )
  t.is(Error.stackTraceLimit, stackTraceLimit)
})

test.serial('errors are made with frames where intrinsics cannot be changed', (t) => {
  const { stackTraceLimit } = Error
  Object.defineProperty(Error, 'stackTraceLimit', { writable: false })
  try {
    t.true((withoutFrames(() => new Error('made')).stack?.split('\n').length ?? 0) > 1)
  } finally {
    Object.defineProperty(Error, 'stackTraceLimit', { writable: true })
  }
  t.is(Error.stackTraceLimit, stackTraceLimit)
})
