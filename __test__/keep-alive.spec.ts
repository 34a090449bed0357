import test from 'ava'
import { closed, connect, read } from './support/client.js'
import { launch } from './support/process.js'

/** Cases that keep a process alive until it is told to close. */
const STAYS = [
  'a listening server',
  'unref twice and ref',
  'a connection',
  'an unrefed connection that is refed',
  'an unrefed connection alone',
]
/** Cases that let it end as soon as a client is connected. */
const ENDS = ['an unrefed connection']
/** Cases that let it end at once. */
const ENDS_AT_ONCE = ['unref', 'unref before its close', 'close']

for (const loops of [1, 2, 'inline'] as const) {
  for (const way of STAYS) {
    test.serial(`the process stays alive: ${way} (loops: ${loops})`, async (t) => {
      const fixture = launch(t, 'alive', { args: [way, loops] })
      const socket = await connect(Number(await fixture.line()))
      t.is((await read(socket, 5)).toString(), 'hello')
      // The process is still there after many turns of its event loop.
      for (let round = 0; round < 20; round++) {
        socket.write('ping')
        t.is((await read(socket, 4)).toString(), 'ping')
      }
      socket.write('close')
      t.is((await read(socket, 5)).toString(), 'close')
      socket.resume()
      await closed(socket)
      t.deepEqual(await fixture.rest(), ['closing', 'dry'])
      t.deepEqual(await fixture.ended, { code: 0, signal: null, stderr: '' })
    })
  }

  for (const way of ENDS) {
    test.serial(
      `the process ends while a client is connected: ${way} (loops: ${loops})`,
      async (t) => {
        const fixture = launch(t, 'alive', { args: [way, loops] })
        const socket = await connect(Number(await fixture.line()))
        t.is((await read(socket, 5)).toString(), 'hello')
        socket.resume()
        await closed(socket)
        t.deepEqual(await fixture.rest(), ['dry'])
        t.deepEqual(await fixture.ended, { code: 0, signal: null, stderr: '' })
      },
    )
  }

  for (const way of ENDS_AT_ONCE) {
    test.serial(`the process ends at once: ${way} (loops: ${loops})`, async (t) => {
      const fixture = launch(t, 'alive', { args: [way, loops] })
      await fixture.line()
      t.deepEqual(await fixture.rest(), ['dry'])
      t.deepEqual(await fixture.ended, { code: 0, signal: null, stderr: '' })
    })
  }
}
