/** `conn.context` has the type that `context` returns: compiled by `tsconfig.test.json`, never run. */

import type { FrameData } from 'millrace'
import { type Conn, json, lengthField, type ServeOptions, type Server, serve } from 'millrace'
import { type Equal, expect } from './expect.js'

interface Session {
  from: string
  hits: number
}

const listen = 'tcp://127.0.0.1:0'

// ---- inferred from the return type

const server = serve({
  listen,
  context: (peer) => ({ from: peer.remote, hits: 0 }),
  open(conn) {
    expect<Equal<typeof conn.context, Session>>()
  },
  message(conn, chunk) {
    expect<Equal<typeof chunk, Buffer>>()
    conn.context.hits++
    // @ts-expect-error `hits` is a number
    conn.context.hits = 'many'
    // @ts-expect-error no such field
    conn.context.misses++
  },
  drain(conn) {
    conn.context.hits++
  },
  close(conn) {
    conn.context.from.slice()
  },
  error(_error, conn) {
    conn?.context.hits.toFixed()
  },
})
expect<Equal<typeof server, Promise<Server<Buffer, FrameData, Session>>>>()

serve({
  listen,
  codec: json<{ id: number }, string>(lengthField()),
  context: () => new Map<string, number>(),
  message(conn, { id }) {
    conn.context.set('last', id)
    conn.write('ok')
    // @ts-expect-error the codec encodes text
    conn.write({ id })
  },
})

serve({
  listen,
  context: (): Session | undefined => undefined,
  message(conn) {
    conn.context?.hits.toFixed()
    // @ts-expect-error it may be undefined
    conn.context.hits++
  },
})

// Without a parameter, `context` may come after the handlers.
serve({
  listen,
  message(conn) {
    expect<Equal<typeof conn.context, { hits: number }>>()
  },
  context: () => ({ hits: 0 }),
})

// A primitive is allowed.
serve({
  listen,
  context: () => 1,
  message(conn) {
    conn.context += 1
  },
})

// ---- a promise is refused

serve({
  listen,
  // @ts-expect-error `context` may not be async
  context: async () => ({ hits: 0 }),
})

serve({
  listen,
  // @ts-expect-error `context` may not be async
  context: (peer) => Promise.resolve(peer.remote),
})

// ---- explicit types agree

const options: ServeOptions<Buffer, string, Session> = {
  listen,
  context: (peer) => ({ from: peer.local, hits: 0 }),
  message(conn) {
    expect<Equal<typeof conn, Conn<Buffer, string, Session>>>()
  },
}
expect<
  Equal<ReturnType<typeof serve<Buffer, string, Session>>, Promise<Server<Buffer, string, Session>>>
>()
serve(options)

// ---- handlers that use the `this` of a class

class Room {
  readonly members = new Set<Conn<Buffer, FrameData, Session>>()

  start(): Promise<Server<Buffer, FrameData, Session>> {
    return serve({
      listen,
      context: (peer) => ({ from: peer.remote, hits: 0 }),
      open: (conn) => this.members.add(conn),
      message: (conn, chunk) => conn.write(chunk),
      close: (conn) => this.members.delete(conn),
    })
  }
}
new Room()
