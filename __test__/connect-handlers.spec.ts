import test from 'ava'
import type { Conn } from 'millrace'
import { dial, peer } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { turns } from './support/turns.js'

test('connect rejects with an error thrown in open, and the connection closes with the same error', async (t) => {
  const to = await peer(t, 'tcp', (socket) => socket.resume())
  const thrown = new Error('from the handler')
  const closed = gate<Error | undefined>()
  const open = () => {
    throw thrown
  }
  const close = (_conn: Conn, error?: Error) => closed.open(error)
  t.is(await t.throwsAsync(dial(t, { to, open, close })), thrown)
  t.is(await closed.passed, thrown)
  // Without a close handler, the rejection reports the error, so there is no warning.
  const warn = (warning: Error) => t.fail(warning.message)
  process.on('warning', warn)
  t.is(await t.throwsAsync(dial(t, { to, open })), thrown)
  await turns(50)
  process.off('warning', warn)
})

test('a handler that throws later destroys its connection, and without close its error goes to error', async (t) => {
  const to = await peer(t, 'tcp', (socket) => socket.write('hello'))
  const thrown = new Error('from the handler')
  const told = gate<Error>()
  const conn = await dial(t, {
    to,
    message() {
      throw thrown
    },
    error: (error, of) => {
      t.is(of, conn)
      told.open(error)
    },
  })
  t.is(await told.passed, thrown)
})

test('connect does not wait for an async open, and a rejection of open destroys the connection', async (t) => {
  const to = await peer(t, 'tcp', (socket) => socket.resume())
  const fail = gate()
  const closed = gate<Error | undefined>()
  const conn = await dial(t, {
    to,
    async open() {
      await fail.passed
      throw Object.assign(new Error('late'), { code: 'LATE' })
    },
    close: (_conn, error) => closed.open(error),
  })
  t.is(conn.readyState, 'open')
  fail.open()
  t.is(codeOf(await closed.passed), 'LATE')
})
