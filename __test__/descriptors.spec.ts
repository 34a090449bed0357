import type net from 'node:net'
import test from 'ava'
import { closed, connect, read } from './support/client.js'
import { launch } from './support/process.js'

/** Descriptors of the server's process: those of Node itself come to about half. */
const LIMIT = 64
const CLIENTS = 100

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
    test(`a server out of descriptors says so once, serves on, and accepts again by itself (loops: ${loops})`, async (t) => {
      const fixture = launch(t, 'descriptors', { args: [loops], descriptors: LIMIT })
      const port = Number(await fixture.line())
      const first = await connect(port)
      t.true(await echoes(first, 'hello'))
      // The kernel takes all of them; the server as many as it has descriptors.
      const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => connect(port)))
      t.regex(await fixture.line(), /^error EMFILE accept EMFILE tcp:\/\/127\.0\.0\.1:\d+$/)
      for (let round = 0; round < 50; round++) t.true(await echoes(first, 'still'))
      // Every client that goes makes a place for one that waits, and in the end all were served.
      const all = sockets.map(async (socket) => {
        t.true(await echoes(socket, 'hello'))
        await leave(socket)
      })
      await Promise.all(all)
      t.true(await echoes(first, 'hello'))
      // Nothing but that one line was said until now.
      t.true(await echoes(first, 'count'))
      t.regex(await fixture.line(), /^connections 1 of /)

      // The next shortage is another episode.
      const more = await Promise.all(Array.from({ length: CLIENTS }, () => connect(port)))
      t.regex(await fixture.line(), /^error EMFILE/)
      await Promise.all(more.map(leave))
    })

    test(`accepting heals where descriptors become free without a connection's end (loops: ${loops})`, async (t) => {
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

    test(`a second server that finds no descriptor rejects, and the first goes on (loops: ${loops})`, async (t) => {
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
