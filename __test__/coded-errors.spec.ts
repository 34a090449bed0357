import { inspect } from 'node:util'
import test from 'ava'
import { bind, type CodedError, connect as dialOnce } from 'millrace'
import { connect } from './support/client.js'
import { dial } from './support/dial.js'
import { gate } from './support/gate.js'
import { start } from './support/serve.js'

/** Values that users throw although they are not errors. */
const THROWN: readonly unknown[] = ['a string', 42, undefined, null, { code: 'EMINE' }, Symbol('s')]

for (const value of THROWN) {
  const name = inspect(value)

  test(`a thrown ${name} reaches close as an Error with cause`, async (t) => {
    const closed = gate<CodedError | undefined>()
    const server = await start(t, {
      message() {
        throw value
      },
      close: (_, error) => closed.open(error),
    })
    const socket = await connect(server.port)
    socket.write('x')
    const error = await closed.passed
    t.true(error instanceof Error)
    t.is(error?.cause, value)
    t.is(error?.code, undefined)
    socket.destroy()
  })

  test(`a promise that rejects with ${name} reaches the error of a socket as an Error with cause`, async (t) => {
    const reported = gate<CodedError>()
    const socket = await bind({
      address: 'udp://127.0.0.1:0',
      message: () => Promise.reject(value),
      error: (error) => reported.open(error),
    })
    t.teardown(() => socket.close())
    const peer = await dialOnce({ to: `udp://127.0.0.1:${socket.port}`, message() {} })
    t.teardown(() => peer.close())
    peer.send('x')
    const error = await reported.passed
    t.true(error instanceof Error)
    t.is(error.cause, value)
  })
}

test('destroy with a value that is not an error gives close an Error with cause', async (t) => {
  const closed = gate<CodedError | undefined>()
  const server = await start(t, { message() {} })
  const conn = await dial(t, {
    to: server.port,
    message() {},
    close: (_, error) => closed.open(error),
  })
  conn.destroy('enough' as never)
  const error = await closed.passed
  t.true(error instanceof Error)
  t.is(error?.cause, 'enough')
})
