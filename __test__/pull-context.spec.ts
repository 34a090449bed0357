/** What a pull sets off runs in the context of the connection's handlers, and its promise in that of who pulls. */

import { AsyncLocalStorage } from 'node:async_hooks'
import test, { type ExecutionContext } from 'ava'
import { type Conn, line, raw, type ServeOptions } from 'millrace'
import { connectTo, lose } from './support/client.js'
import type { Bytes } from './support/framings.js'
import { gate } from './support/gate.js'
import { KINDS, type Kind, listenOn } from './support/kinds.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

type Options = Partial<ServeOptions<Buffer, Uint8Array | string, undefined>>

const CODECS: Readonly<Record<string, Bytes>> = { frames: line(), 'a raw stream': raw() }
const store = new AsyncLocalStorage<string>()

/** A server whose handlers have a context, and a connection to it that has sent two bytes. */
async function setUp(t: ExecutionContext, kind: Kind, options: Options) {
  const opened: Conn[] = []
  const server = await store.run('the server', () =>
    start(t, {
      listen: listenOn(t, kind),
      allowHalfOpen: true,
      open: (conn) => void opened.push(conn),
      ...options,
    }),
  )
  const accepted = async () => {
    const { length } = opened
    const socket = await connectTo(server.addresses[0])
    t.teardown(() => socket.destroy())
    while (opened.length === length) await turns(1)
    return [socket, opened[length] as Conn] as const
  }
  const [socket, conn] = await accepted()
  socket.write('a\n')
  while (conn.bytesRead < 2) await turns(1)
  return { server, socket, conn, accepted }
}

/** How an iterator learns that nobody works on the last message any more. */
const LEAVE = {
  'the next pull': (messages: AsyncIterator<unknown>) => messages.next(),
  'leaving for await': (messages: AsyncIterator<unknown>) => messages.return?.(),
}

for (const kind of KINDS) {
  for (const [name, codec] of Object.entries(CODECS)) {
    for (const [how, leave] of Object.entries(LEAVE)) {
      test(`the handler end runs in its own context if ${how} sets it off, ${name}, ${kind}`, async (t) => {
        const seen = gate<string | undefined>()
        const { socket, conn, accepted } = await setUp(t, kind, {
          codec,
          end: (each) => void (each === conn && seen.open(store.getStore())),
        })
        socket.end()
        // The FIN of the first connection has come once that of a second one has, which is later.
        const [second, secondConn] = await accepted()
        second.end('b\n')
        for await (const _ of secondConn);
        await store.run('who pulls', async () => {
          const messages = conn[Symbol.asyncIterator]()
          t.is(String((await messages.next()).value).trim(), 'a')
          t.true((await leave(messages))?.done)
          t.is(store.getStore(), 'who pulls')
        })
        t.is(await seen.passed, 'the server')
      })
    }

    test(`the handler error runs in its own context if a late pull fails, ${name}, ${kind}`, async (t) => {
      const seen = gate<string | undefined>()
      const { server, socket, conn } = await setUp(t, kind, {
        codec: {
          ...codec,
          decode() {
            throw new Error('mine')
          },
        },
        error: () => seen.open(store.getStore()),
      })
      // The loss of a Unix socket is seen only if it has not read all of this.
      socket.pause()
      conn.write('x'.repeat(1 << 19))
      lose(socket)
      while (server.connections > 0) await turns(1)
      await store.run('who pulls', async () => {
        await t.throwsAsync(async () => conn[Symbol.asyncIterator]().next())
        t.is(store.getStore(), 'who pulls')
      })
      t.is(await seen.passed, 'the server')
    })
  }
}
