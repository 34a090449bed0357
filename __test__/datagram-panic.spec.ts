import test from 'ava'
import { theEnvironment } from '../lib/environment.js'
import { injectPanic } from '../native.cjs'
import { bound, peer } from './support/datagrams.js'
import { codeOf, gate } from './support/gate.js'

/** The loops that have datagram sockets. */
function loopsWithSockets(): number[] {
  const loops = theEnvironment().loops.filter((loop) => loop?.sockets.some((lane) => lane))
  return loops.map((loop) => loop?.index as number)
}

for (const loops of [1, 'inline'] as const) {
  test.serial(`a socket ends with its loop, and says so (loops: ${loops})`, async (t) => {
    const { passed, open } = gate<Error | undefined>()
    const socket = await bound(t, { loops, message() {}, close: (_, error) => open(error) })
    const [loop] = loopsWithSockets()
    injectPanic(theEnvironment().handle, loop as number)
    // An inline loop finds out when it has something to do.
    if (loops === 'inline') socket.send('x', `127.0.0.1:${socket.port}`)
    t.is(codeOf(await passed), 'ERR_LOOP_PANIC')
    t.is(socket.readyState, 'closed')
    t.false(socket.send('x', '127.0.0.1:9'))
    await socket.close()
    await t.throwsAsync(socket.setTTL(9), { code: 'ERR_CLOSED' })
    t.deepEqual(loopsWithSockets(), [])
  })
}

test.serial('a pull rejects with what ended its socket', async (t) => {
  const socket = await bound(t, { loops: 1 })
  const pull = socket[Symbol.asyncIterator]().next()
  const [loop] = loopsWithSockets()
  injectPanic(theEnvironment().handle, loop as number)
  await t.throwsAsync(pull, { code: 'ERR_LOOP_PANIC' })
})

if (process.platform === 'linux') {
  test.serial(
    'of several loops one may be lost, and the others go on with its peers',
    async (t) => {
      const { passed, open } = gate<string | undefined>()
      const socket = await bound(t, {
        loops: 3,
        message: (socket, message, info) => void socket.send(message, info),
        error: (error) => open(codeOf(error)),
      })
      const [lost] = loopsWithSockets()
      injectPanic(theEnvironment().handle, lost as number)
      t.is(await passed, 'ERR_LOOP_PANIC')
      t.is(socket.readyState, 'open')
      for (let count = 0; count < 20; count++) {
        const client = await peer(t)
        t.is(String(await client.ask(`hello ${count}`, socket.port)), `hello ${count}`)
        t.true(socket.send('by text', `127.0.0.1:${client.port}`))
        t.is(String(await client.next()), 'by text')
      }
    },
  )
}
