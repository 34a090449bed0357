/** The types that `connect` infers, accepts and refuses: compiled by `tsconfig.test.json`, never run. */

import type { FrameData } from 'millrace'
import {
  type Client,
  type ClientState,
  type CodedError,
  type Conn,
  type ConnectOptions,
  connect,
  json,
  lengthField,
  line,
  type ReconnectingOptions,
  type ReconnectOptions,
  type Server,
} from 'millrace'
import { type Equal, expect } from './expect.js'

interface Ping {
  id: number
}

export async function connection(server: Server<Ping, string, number>): Promise<void> {
  const conn = await connect({
    to: 'tcp://127.0.0.1:9000',
    codec: json<Ping, string>(lengthField()),
    context: (peer) => ({ from: peer.remote }),
    open(conn) {
      expect<Equal<typeof conn, Conn<Ping, string, { from: string }>>>()
    },
    message(conn, ping) {
      expect<Equal<typeof ping, Ping>>()
      conn.write(conn.context.from)
    },
    close(conn, error) {
      expect<Equal<typeof error, CodedError | undefined>>()
      expect<Equal<typeof conn.context, { from: string }>>()
    },
    timeout: 1000,
    signal: new AbortController().signal,
    localAddress: '127.0.0.1',
    loops: server,
    highWaterMark: 1024,
  })
  expect<Equal<typeof conn, Conn<Ping, string, { from: string }>>>()
  const plain = await connect({ to: 'unix:///run/my.sock', loop: conn })
  expect<Equal<typeof plain, Conn<Buffer, FrameData, undefined>>>()
  await connect({ to: 'tcp://127.0.0.1:1', loops: 'inline', ringBytes: 4096, reconnect: false })
  // @ts-expect-error `to` is needed
  await connect({ codec: line() })
  // @ts-expect-error `loop` needs a connection, not a server
  await connect({ to: 'tcp://127.0.0.1:1', loop: server })
  // @ts-expect-error `offline` needs `reconnect`
  await connect({ to: 'tcp://127.0.0.1:1', offline: 'queue' })
  // @ts-expect-error a Ping is received, not sent
  conn.write({ id: 1 })
  expect<Equal<ConnectOptions['timeout'], number | undefined>>()
}

export async function client(): Promise<void> {
  await using client = await connect({
    to: 'tcp://127.0.0.1:9000',
    codec: json<Ping, string>(lengthField()),
    context: () => 7,
    reconnect: { min: 1, max: 10, factor: 1.5, jitter: 0, attempts: 3 },
    offline: 'queue',
    maxOffline: 1024,
    message(conn, ping) {
      expect<Equal<typeof ping, Ping>>()
      expect<Equal<typeof conn.context, number>>()
    },
    state(client) {
      expect<Equal<typeof client, Client<Ping, string, number>>>()
    },
  })
  expect<Equal<typeof client, Client<Ping, string, number>>>()
  expect<Equal<typeof client.state, ClientState>>()
  expect<Equal<typeof client.conn, Conn<Ping, string, number> | undefined>>()
  expect<Equal<typeof client.nextAttemptAt, number | undefined>>()
  const accepted: boolean = client.write('message')
  // @ts-expect-error a Ping is received, not sent
  client.write({ id: 1 })
  // @ts-expect-error `state` is read-only
  client.state = accepted ? 'open' : 'closed'
  const again = await connect({ to: 'tcp://127.0.0.1:1', reconnect: true })
  expect<Equal<typeof again, Client<Buffer, FrameData, undefined>>>()
  again.ref().unref().end()
  again.destroy(new Error('enough'))
  await again.closed
  // @ts-expect-error `offline` is `queue` or `refuse`
  await connect({ to: 'tcp://127.0.0.1:1', reconnect: true, offline: 'drop' })
  expect<Equal<ReconnectOptions['attempts'], number | undefined>>()
  expect<Equal<ReconnectingOptions['reconnect'], true | ReconnectOptions>>()
}
