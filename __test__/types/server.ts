/** What a server and a connection offer: compiled by `tsconfig.test.json`, never run. */

import {
  type Balance,
  type BroadcastOptions,
  type Codec,
  type Conn,
  type ErrorCode,
  type Framing,
  json,
  type LoopStats,
  lengthField,
  MillraceError,
  type Reader,
  type ReadyState,
  type Server,
  type ServerStats,
  serve,
  type Tested,
  testCodec,
  type Writer,
} from 'millrace'
import { type Equal, expect } from './expect.js'

interface Ping {
  id: number
}

export async function server(): Promise<void> {
  await using server = await serve({
    listen: ['tcp://127.0.0.1:0', 'tcp://[::1]:0'],
    codec: json<Ping, string>(lengthField()),
    context: () => ({ hits: 0 }),
    loops: 2,
    signal: new AbortController().signal,
  })
  type Member = Conn<Ping, string, { hits: number }>
  expect<Equal<typeof server, Server<Ping, string, { hits: number }>>>()
  expect<Equal<typeof server.addresses, readonly string[]>>()
  expect<Equal<ReturnType<typeof server.stats>, ServerStats>>()
  expect<Equal<ServerStats['loops'], readonly LoopStats[]>>()
  expect<Equal<ReturnType<typeof server.get>, Member | undefined>>()
  for (const conn of server) expect<Equal<typeof conn, Member>>()
  const count: number = server.broadcast('all', { group: new Set<Member>() })
  server.broadcast('others', { group: [...server], except: [...server][0] as Member })
  // @ts-expect-error a Ping comes in and does not go out
  server.broadcast({ id: count })
  // @ts-expect-error the address is not to be changed
  server.addresses = []
  // @ts-expect-error connections are counted, not set
  server.connections = 1
  const same: typeof server = server.ref().unref()
  await same.close({ timeout: 1000 })
  // @ts-expect-error a number of milliseconds
  await server.close({ timeout: '1s' })
  expect<Equal<BroadcastOptions<Member>['except'], Member | undefined>>()
}

export async function conn(conn: Conn<Ping, string, undefined>): Promise<void> {
  await using alias = conn
  for await (const ping of alias) expect<Equal<typeof ping, Ping>>()
  expect<Equal<ReturnType<typeof conn.write>, boolean>>()
  expect<Equal<typeof conn.readyState, ReadyState>>()
  expect<Equal<ReadyState, 'open' | 'ending' | 'closed'>>()
  expect<Equal<typeof conn.codec, Codec<Ping, string>>>()
  const all: [number, number, string, string, number, number, number] = [
    conn.id,
    conn.loop,
    conn.remote,
    conn.local,
    conn.buffered,
    conn.bytesRead,
    conn.bytesWritten,
  ]
  conn.end()
  conn.end('bye')
  conn.destroy(new Error(all.join()))
  await conn.flushed()
  await conn.drained()
  conn.ref().unref().pause()
  // @ts-expect-error an id is for life
  conn.id = 1
  // @ts-expect-error no Ping
  conn.end({ id: 1 })
}

/** A server of any kind lends its loops. */
export function borrow(server: Server<Ping, string, { hits: number }>): Promise<Server> {
  return serve({ listen: 'tcp://127.0.0.1:0', loops: server })
}

/** As does one without types of its own. */
export function borrowAgain(server: Server): Promise<Server> {
  // @ts-expect-error no server
  void serve({ listen: 'tcp://127.0.0.1:0', loops: {} })
  return serve({ listen: 'tcp://127.0.0.1:0', loops: server })
}

/** Options are typed where they are kept, too. */
export function balance(balance: Balance): Promise<Server> {
  return serve({ listen: 'tcp://127.0.0.1:0', balance })
}

export function errors(error: unknown): ErrorCode {
  if (!(error instanceof MillraceError)) return 'ERR_CLOSED'
  // A code is one of ours, or a system's name: both can be compared with.
  if (error.code === 'ERR_FRAME_TOO_LARGE' || error.code === 'EADDRINUSE') error.port?.toFixed()
  // @ts-expect-error not every code is ours
  return error.code
}

export function codec(): Tested<Ping> {
  const framing: Framing = { kind: 'line', max: 100 }
  const codec: Codec<Ping, string> = {
    framing,
    decode: (from: Reader) => ({ id: from.u32() }),
    encode: (message: string, to: Writer) => void to.text(message),
  }
  // @ts-expect-error frames of a fixed size have one
  const none: Framing = { kind: 'fixed' }
  return testCodec(codec, none.kind, { splits: 'each' })
}
