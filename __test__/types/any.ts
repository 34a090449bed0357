/** Types without arguments take everything: compiled by `types.spec.ts`, never run. */

import type { FrameData } from 'millrace'
import {
  type Client,
  type CodedError,
  type Conn,
  type ConnectedDatagramSocket,
  connect,
  type DatagramSocket,
  encodeWith,
  json,
  type Listener,
  lengthField,
  line,
  type Server,
  serve,
  testCodec,
} from 'millrace'
import { type Equal, expect } from './expect.js'

interface Ping {
  id: number
}

/** Takes every connection. */
function log(conn: Conn): string {
  conn.write({ anything: true })
  return `${conn.remote} ${conn.context}`
}
const room = new Set<Conn>()

export async function plain(): Promise<void> {
  const server = await serve({
    listen: 0,
    codec: json<Ping, string>(lengthField()),
    context: () => ({ hits: 0 }),
    open(conn) {
      log(conn)
      room.add(conn)
    },
    message(conn, ping) {
      expect<Equal<typeof ping, Ping>>()
      conn.write('pong')
      // @ts-expect-error a typed connection takes only messages of its type
      conn.write(ping)
      server.broadcast('to the room', { group: room, except: conn })
    },
    close(conn, error) {
      room.delete(conn)
      expect<Equal<typeof error, CodedError | undefined>>()
      const code: string | undefined = error?.code
      console.log(code)
    },
    error: (error) => console.log(error.code, error.message),
  })
  const all: Server[] = [server]
  const listeners: Listener[] = [...server.listeners]
  for (const each of all) for (const conn of each) log(conn)
  for (const each of listeners) each.broadcast(1)
  const port: number | undefined = server.port
  console.log(port)
}

export async function chunks(): Promise<void> {
  const server = await serve({ listen: 0, message: (conn, chunk) => void conn.write(chunk) })
  expect<Equal<typeof server, Server<Buffer, FrameData, undefined>>>()
  const conn = await connect({ to: server.port ?? 0 })
  expect<Equal<typeof conn, Conn<Buffer, FrameData, undefined>>>()
  log(conn)
  // @ts-expect-error a number is not a message
  conn.write(1)
  const client = await connect({ to: 9000, reconnect: true })
  const clients: Client[] = [client]
  clients[0]?.write({ anything: true })
}

export function sockets(
  bound: DatagramSocket<Ping>,
  connected: ConnectedDatagramSocket<string>,
): void {
  const all: DatagramSocket[] = [bound]
  const peers: ConnectedDatagramSocket[] = [connected]
  all[0]?.send(1, '127.0.0.1:9000')
  peers[0]?.send(1)
}

/** A message is checked against the codec. */
export function codecs(): void {
  const codec = json<Ping, string>(line())
  expect<Equal<ReturnType<typeof encodeWith>, Buffer>>()
  encodeWith(codec, 'pong')
  // @ts-expect-error the codec sends strings
  encodeWith(codec, { id: 1 })
  const { messages } = testCodec(codec, '{"id":1}\n')
  expect<Equal<typeof messages, Ping[]>>()
  // Typed as JSON.parse is.
  const untyped = testCodec(json(line()), '{"id":1}\n').messages[0]
  // biome-ignore lint/suspicious/noExplicitAny: that is what is tested
  expect<Equal<typeof untyped, any>>()
  encodeWith(json(line()), { id: 1 })
}

export function addresses(conn: Conn): void {
  expect<Equal<typeof conn.remoteAddress, string | undefined>>()
  expect<Equal<typeof conn.remotePort, number | undefined>>()
  expect<Equal<typeof conn.localFamily, 'IPv4' | 'IPv6' | undefined>>()
}

/** Options may be undefined, since what computes them often has nothing to say. */
export async function undefinedOptions(wait: number | undefined): Promise<void> {
  await serve({ listen: 0, signal: undefined, loops: undefined, keepAlive: { idle: undefined } })
  await connect({ to: 9000, timeout: wait, localAddress: undefined, noDelay: undefined })
  await connect({ to: 9000, reconnect: { min: wait, attempts: undefined }, maxOffline: wait })
  testCodec(line({ max: wait }), '', { splits: undefined })
}
