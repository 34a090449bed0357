import type net from 'node:net'
import test from 'ava'
import { closed, connect, read } from './support/client.js'
import { launch } from './support/process.js'

/**
 * Descriptors that the server's process may have. Node uses some 30, and while it loads modules one for each
 * of them at the same time.
 */
const LIMIT = 200
const CLIENTS = 300

async function echoes(socket: net.Socket, text: string): Promise<boolean> {
  socket.write(text)
  return (await read(socket, text.length)).toString() === text
}

async function leave(socket: net.Socket): Promise<void> {
  socket.resume().end()
  await closed(socket)
}

if (process.platform !== 'win32') {
  for (const loops of [1, 3, 'inline'] as const) {
    test(`a server that runs out of descriptors reports it once, keeps serving, and accepts again by itself (loops: ${loops})`, async (t) => {
      const fixture = launch(t, 'descriptors', { args: [loops], descriptors: LIMIT })
      const port = Number(await fixture.line())
      const first = await connect(port)
      t.true(await echoes(first, 'hello'))
      // The kernel accepts all of them; the server accepts as many as it has descriptors for.
      const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => connect(port)))
      t.regex(await fixture.line(), /^error EMFILE accept EMFILE tcp:\/\/127\.0\.0\.1:\d+$/)
      for (let round = 0; round < 50; round++) t.true(await echoes(first, 'still'))
      // Every client that leaves makes room for one that waits, so in the end all are served.
      const all = sockets.map(async (socket) => {
        t.true(await echoes(socket, 'hello'))
        await leave(socket)
      })
      await Promise.all(all)
      t.true(await echoes(first, 'hello'))
      // The one error line is all that was printed until now.
      t.true(await echoes(first, 'count'))
      t.regex(await fixture.line(), /^connections 1 of /)

      // The next shortage is reported again.
      const more = await Promise.all(Array.from({ length: CLIENTS }, () => connect(port)))
      t.regex(await fixture.line(), /^error EMFILE/)
      await Promise.all(more.map(leave))
    })

    test(`a server accepts again when descriptors other than connections are closed (loops: ${loops})`, async (t) => {
      const fixture = launch(t, 'descriptors', { args: [loops], descriptors: LIMIT })
      const port = Number(await fixture.line())
      const first = await connect(port)
      t.true(await echoes(first, 'hold'))
      t.is(await fixture.line(), 'held EMFILE')
      const waiting = await connect(port)
      t.regex(await fixture.line(), /^error EMFILE/)
      t.true(await echoes(first, 'free'))
      t.true(await echoes(waiting, 'hello'))
    })

    test(`serve rejects without a free descriptor, and a running server goes on (loops: ${loops})`, async (t) => {
      const fixture = launch(t, 'descriptors', { args: [loops], descriptors: LIMIT })
      const port = Number(await fixture.line())
      const first = await connect(port)
      t.true(await echoes(first, 'hello'))
      const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => connect(port)))
      t.regex(await fixture.line(), /^error EMFILE/)
      t.true(await echoes(first, 'serve'))
      t.is(await fixture.line(), 'serve EMFILE')
      await Promise.all(sockets.map(leave))
      t.true(await echoes(first, 'hello'))
    })
  }
}
