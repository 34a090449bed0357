/** `conn.data` has the type that `data` makes: compiled by `tsconfig.test.json`, never run. */

import { type Conn, json, lengthField, type ServeOptions, type Server, serve } from 'millrace'
import { type Equal, expect } from './expect.js'

interface Session {
  from: string
  hits: number
}

const listen = 'tcp://127.0.0.1:0'

// ---- inferred from what it returns

const server = serve({
  listen,
  data: (peer) => ({ from: peer.remote, hits: 0 }),
  open(conn) {
    expect<Equal<typeof conn.data, Session>>()
  },
  message(conn, chunk) {
    expect<Equal<typeof chunk, Buffer>>()
    conn.data.hits++
    // @ts-expect-error a number is counted
    conn.data.hits = 'many'
    // @ts-expect-error no such field
    conn.data.misses++
  },
  drain(conn) {
    conn.data.hits++
  },
  close(conn) {
    conn.data.from.slice()
  },
  error(_error, conn) {
    conn?.data.hits.toFixed()
  },
})
expect<Equal<typeof server, Promise<Server<Buffer, string | Uint8Array, Session>>>>()

serve({
  listen,
  codec: json<{ id: number }, string>(lengthField()),
  data: () => new Map<string, number>(),
  message(conn, { id }) {
    conn.data.set('last', id)
    conn.write('ok')
    // @ts-expect-error the codec takes text
    conn.write({ id })
  },
})

serve({
  listen,
  data: (): Session | undefined => undefined,
  message(conn) {
    conn.data?.hits.toFixed()
    // @ts-expect-error it may be undefined
    conn.data.hits++
  },
})

// Without a parameter it may stand anywhere.
serve({
  listen,
  message(conn) {
    expect<Equal<typeof conn.data, { hits: number }>>()
  },
  data: () => ({ hits: 0 }),
})

// A primitive is data too.
serve({
  listen,
  data: () => 1,
  message(conn) {
    conn.data += 1
  },
})

// ---- a promise is not

serve({
  listen,
  // @ts-expect-error data answers at once
  data: async () => ({ hits: 0 }),
})

serve({
  listen,
  // @ts-expect-error data answers at once
  data: (peer) => Promise.resolve(peer.remote),
})

// ---- explicit types say the same

const options: ServeOptions<Buffer, string, Session> = {
  listen,
  data: (peer) => ({ from: peer.local, hits: 0 }),
  message(conn) {
    expect<Equal<typeof conn, Conn<Buffer, string, Session>>>()
  },
}
expect<
  Equal<ReturnType<typeof serve<Buffer, string, Session>>, Promise<Server<Buffer, string, Session>>>
>()
serve(options)

// ---- in place of functions, methods of an object with a `this` of its own

class Room {
  readonly members = new Set<Conn<Buffer, string | Uint8Array, Session>>()

  start(): Promise<Server<Buffer, string | Uint8Array, Session>> {
    return serve({
      listen,
      data: (peer) => ({ from: peer.remote, hits: 0 }),
      open: (conn) => this.members.add(conn),
      message: (conn, chunk) => conn.write(chunk),
      close: (conn) => this.members.delete(conn),
    })
  }
}
new Room()
