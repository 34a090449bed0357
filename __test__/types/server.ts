/** The types of a server and a connection: compiled by `tsconfig.test.json`, never run. */

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
  type TestCodecResult,
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
  // @ts-expect-error a Ping is received, not sent
  server.broadcast({ id: count })
  // @ts-expect-error `addresses` is read-only
  server.addresses = []
  // @ts-expect-error `connections` is read-only
  server.connections = 1
  const same: typeof server = server.ref().unref()
  await same.close({ timeout: 1000 })
  // @ts-expect-error `timeout` is a number of milliseconds
  await server.close({ timeout: '1s' })
  expect<Equal<BroadcastOptions<Member>['except'], Member | undefined>>()
}

export async function conn(conn: Conn<Ping, string, undefined>): Promise<void> {
  await using alias = conn
  for await (const ping of alias) expect<Equal<typeof ping, Ping>>()
  expect<Equal<ReturnType<typeof conn.write>, boolean>>()
  expect<Equal<typeof conn.readyState, ReadyState>>()
  expect<Equal<ReadyState, 'open' | 'readOnly' | 'writeOnly' | 'closing' | 'closed'>>()
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
  // @ts-expect-error `id` is read-only
  conn.id = 1
  // @ts-expect-error a Ping is not sent
  conn.end({ id: 1 })
}

/** A server of any types can lend its loops. */
export function borrow(server: Server<Ping, string, { hits: number }>): Promise<Server> {
  return serve({ listen: 'tcp://127.0.0.1:0', loops: server })
}

/** So can a server with default types. */
export function borrowAgain(server: Server): Promise<Server> {
  // @ts-expect-error not a server
  void serve({ listen: 'tcp://127.0.0.1:0', loops: {} })
  return serve({ listen: 'tcp://127.0.0.1:0', loops: server })
}

/** Option types work for parameters too. */
export function balance(balance: Balance): Promise<Server> {
  return serve({ listen: 'tcp://127.0.0.1:0', balance })
}

export function errors(error: unknown): ErrorCode {
  if (!(error instanceof MillraceError)) return 'ERR_CLOSED'
  // A code is one of ours or a system's name: it can be compared with both.
  if (error.code === 'ERR_FRAME_TOO_LARGE' || error.code === 'EADDRINUSE') error.port?.toFixed()
  // @ts-expect-error not every code is an ErrorCode
  return error.code
}

export function codec(): TestCodecResult<Ping> {
  const framing: Framing = { kind: 'line', max: 100 }
  const codec: Codec<Ping, string> = {
    framing,
    decode: (from: Reader) => ({ id: from.u32() }),
    encode: (message: string, to: Writer) => void to.text(message),
  }
  // @ts-expect-error `fixed` needs a size
  const none: Framing = { kind: 'fixed' }
  return testCodec(codec, none.kind, { splits: 'each' })
}
