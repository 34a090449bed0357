/** Listeners infer their own types and refuse others. */

import type { FrameData } from 'millrace'
import {
  type Conn,
  defineCodec,
  type KeepAlive,
  type ListenEntry,
  type Listener,
  type ListenerSpec,
  lengthField,
  listener,
  type Server,
  type SocketOptions,
  serve,
} from 'millrace'
import { type Equal, expect } from './expect.js'

interface Ping {
  id: number
}

const pings = defineCodec<Ping, string>({
  framing: lengthField().framing,
  decode: (from) => ({ id: from.u32() }),
  encode: (message, to) => void to.text(message),
})
const words = defineCodec<string, string>({
  framing: lengthField().framing,
  decode: (from) => from.text(from.remaining),
  encode: (message, to) => void to.text(message),
})

/** A plain spec has the server's types, whatever it declares. */
export async function beside(): Promise<void> {
  const server = await serve({
    listen: [
      'tcp://127.0.0.1:0',
      {
        address: 'tcp://127.0.0.1:0',
        reusePort: true,
        backlog: 5,
        message(conn, ping) {
          expect<Equal<typeof ping, Ping>>()
          expect<Equal<typeof conn, Conn<Ping, string, { hits: number }>>>()
          // @ts-expect-error strings are sent
          conn.write(1)
        },
      },
    ],
    codec: pings,
    context: () => ({ hits: 0 }),
    message: (conn, ping) => void conn.write(`${ping.id} ${conn.context.hits}`),
  })
  expect<Equal<typeof server, Server<Ping, string, { hits: number }>>>()
  const handle = await server.listen('tcp://127.0.0.1:0')
  expect<Equal<typeof handle, Listener<Ping, string, { hits: number }>>>()
  handle.broadcast('all')
  // @ts-expect-error a Ping is not sent
  handle.broadcast({ id: 1 })
  const [first] = server.listeners
  // This listener may have any types, so its messages are not checked.
  expect<Equal<typeof first, Listener | undefined>>()
  for (const conn of first ?? []) conn.write('hello')
  const [all, count]: [readonly string[], number] = [handle.addresses, handle.connections]
  const descriptor: number = await server.dup(all[count])
  await handle.pause()
  await handle.resume()
  await handle.close({ timeout: descriptor })
  // @ts-expect-error `address` is read-only
  handle.address = ''
}

/** A spec from `listener` has its own types, for a server of any types. */
export async function own(server: Server<Ping, string, number>): Promise<void> {
  const spec = listener({
    address: 'tcp://127.0.0.1:0',
    codec: words,
    context: (peer) => ({ from: peer.remote }),
    message(conn, word) {
      expect<Equal<typeof word, string>>()
      expect<Equal<typeof conn, Conn<string, string, { from: string }>>>()
      conn.write(conn.context.from)
      // @ts-expect-error a Ping is not sent
      conn.write({ id: 1 })
    },
  })
  expect<Equal<typeof spec, ListenerSpec<string, string, { from: string }>>>()
  const handle = await server.listen(spec)
  expect<Equal<typeof handle, Listener<string, string, { from: string }>>>()
  for (const conn of handle) expect<Equal<typeof conn.context, { from: string }>>()
  const chunks = listener({
    address: 'unix:///tmp/a',
    message: (conn, chunk) => void conn.write(chunk),
  })
  expect<Equal<typeof chunks, ListenerSpec<Buffer, FrameData, undefined>>>()
  await serve({ listen: [spec, chunks], codec: pings, message: (conn) => void conn.write('hello') })
  await serve({ listen: spec, message: (conn, chunk) => void conn.write(chunk) })
  // @ts-expect-error an address is needed
  listener({ codec: words })
  // @ts-expect-error `loops` is an option of a server
  listener({ address: 'tcp://127.0.0.1:0', loops: 1 })
  // @ts-expect-error the messages of the codec differ from the server's
  void serve({ listen: { address: 'tcp://127.0.0.1:0', codec: words }, codec: pings })
  // @ts-expect-error a spec does not type the server
  void serve({ listen: { address: 'tcp://127.0.0.1:0', message: (_, ping: Ping) => ping.id } })
}

/** Option types work for variables too. */
export async function options(
  conn: Conn,
  spec: ListenEntry<Ping, string, undefined>,
): Promise<void> {
  const keepAlive: KeepAlive = { idle: 1000, interval: 1000, count: 3 }
  const socket: SocketOptions = { noDelay: true, keepAlive, linger: 0, dscp: 46 }
  await conn.setSocketOptions(socket)
  const found: SocketOptions = await conn.socketOptions()
  await conn.setSocketOptions({ ...found, keepAlive: false, linger: false })
  await serve({ listen: { ...spec, ...socket, fastOpen: 5, deferAccept: 1000 }, codec: pings })
  // @ts-expect-error a linger time would block a loop
  await conn.setSocketOptions({ linger: 5000 })
  // @ts-expect-error `backlog` is an option of listeners
  await conn.setSocketOptions({ backlog: 5 })
}
