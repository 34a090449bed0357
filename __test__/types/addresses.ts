/** Which addresses `serve`, `connect` and `bind` accept: compiled by `tsconfig.test.json`, never run. */

import type { FrameData } from 'millrace'
import {
  type Address,
  bind,
  type Client,
  type CodedError,
  type Conn,
  type ConnectedDatagramSocket,
  connect,
  type DatagramSocket,
  json,
  type ListenEntry,
  type Listener,
  lengthField,
  listener,
  type Server,
  serve,
} from 'millrace'
import { type Equal, expect } from './expect.js'

interface Ping {
  id: number
}

type Plain = Conn<Buffer, FrameData, undefined>

/** Every form is an address. */
export const ADDRESSES: readonly Address[] = [
  9000,
  '9000',
  process.env.PORT ?? 9000,
  'tcp://127.0.0.1:9000',
  { port: 9000 },
  { host: '::1', port: 9000 },
  { host: process.env.HOST, port: 9000 },
  { path: '/run/my.sock' },
]

/** Nothing else is one. */
export const REFUSED: readonly Address[] = [
  // @ts-expect-error a variable that may be missing has no port
  process.env.PORT,
  // @ts-expect-error a host alone
  { host: '::1' },
  // @ts-expect-error two places
  { path: '/run/my.sock', port: 9000 },
  // @ts-expect-error digits are an address by themselves, not a port of an object
  { port: '9000' },
  // @ts-expect-error an unknown field
  { port: 9000, hostname: '::1' },
]

export async function connections(address: Address): Promise<void> {
  const port = await connect({ to: 9000 })
  expect<Equal<typeof port, Plain>>()
  const host = await connect({ to: { host: '::1', port: 9000 } })
  expect<Equal<typeof host, Plain>>()
  const path = await connect({ to: { path: '/run/my.sock' } })
  expect<Equal<typeof path, Plain>>()
  const variable = await connect({ to: process.env.PORT ?? 9000 })
  expect<Equal<typeof variable, Plain>>()
  const any = await connect({ to: address })
  expect<Equal<typeof any, Plain>>()
  const typed = await connect({
    to: { port: 9000 },
    codec: json<Ping, string>(lengthField()),
    context: () => ({ hits: 0 }),
    message(conn, ping) {
      expect<Equal<typeof ping, Ping>>()
      conn.write(String(conn.context.hits))
    },
  })
  expect<Equal<typeof typed, Conn<Ping, string, { hits: number }>>>()
  const client = await connect({ to: 9000, reconnect: true })
  expect<Equal<typeof client, Client<Buffer, FrameData, undefined>>>()
  const datagrams = await connect({ to: 'udp://127.0.0.1:9000' })
  expect<Equal<typeof datagrams, ConnectedDatagramSocket<Buffer, FrameData>>>()
  // @ts-expect-error a variable that may be missing
  await connect({ to: process.env.PORT })
  // @ts-expect-error a host alone
  await connect({ to: { host: '::1' } })
}

export async function servers(address: Address, own: Server<Ping, string, number>): Promise<void> {
  const server = await serve({ listen: process.env.PORT ?? 9000 })
  expect<Equal<typeof server, Server<Buffer, FrameData, undefined>>>()
  expect<Equal<typeof server.port, number | undefined>>()
  await serve({ listen: [address, 9000, { port: 9000 }, { path: '/run/my.sock' }] })
  const typed = await serve({
    listen: [
      {
        port: 9000,
        host: '127.0.0.1',
        noDelay: false,
        message(conn, ping) {
          expect<Equal<typeof ping, Ping>>()
          expect<Equal<typeof conn, Conn<Ping, string, { hits: number }>>>()
        },
      },
      { path: '/run/my.sock', mode: 0o600 },
      {
        address: 'fd://3',
        close: (_, error) => expect<Equal<typeof error, CodedError | undefined>>(),
      },
      { address },
    ],
    codec: json<Ping, string>(lengthField()),
    context: () => ({ hits: 0 }),
  })
  expect<Equal<typeof typed, Server<Ping, string, { hits: number }>>>()
  const added = await own.listen({ port: 9000, backlog: 5 })
  expect<Equal<typeof added, Listener<Ping, string, number>>>()
  expect<Equal<typeof added.port, number | undefined>>()
  await own.listen(9000)
  await own.listen(address)
  const spec = listener({
    path: '/run/my.sock',
    codec: json<string, Ping>(lengthField()),
    message(conn, text) {
      expect<Equal<typeof text, string>>()
      conn.write({ id: 1 })
    },
  })
  const other = await own.listen(spec)
  expect<Equal<typeof other, Listener<string, Ping, undefined>>>()
  const entry: ListenEntry<Ping, string, number> = { address, keepAlive: true }
  await own.listen({ ...entry, noDelay: true })
  // @ts-expect-error a host alone
  await serve({ listen: { host: '127.0.0.1', noDelay: true } })
  // @ts-expect-error two places
  await serve({ listen: { port: 9000, path: '/run/my.sock' } })
  // @ts-expect-error two places
  await serve({ listen: { address, port: 9000 } })
  // @ts-expect-error no place
  await serve({ listen: { noDelay: true } })
  // @ts-expect-error a server always says where it listens
  await serve({})
}

export async function sockets(address: Address): Promise<void> {
  const socket = await bind({
    address: 9000,
    message: (_, bytes) => expect<Equal<typeof bytes, Buffer>>(),
  })
  expect<Equal<typeof socket, DatagramSocket<Buffer, FrameData>>>()
  expect<Equal<typeof socket.port, number>>()
  await bind({ address: { host: '::1', port: 9000 } })
  await bind({ address })
  // @ts-expect-error the port is told, not set
  socket.port = 9000
}
