/** The types of datagram sockets: compiled by `tsconfig.test.json`, never run. */

import type { FrameData } from 'millrace'
import {
  type BindOptions,
  bind,
  type Client,
  type CodedError,
  type Conn,
  type ConnectDatagramOptions,
  type ConnectedDatagramSocket,
  connect,
  type DatagramHandlers,
  type DatagramInfo,
  type DatagramSocket,
  type DatagramStats,
  json,
  lengthField,
  type MembershipOptions,
  type MulticastOptions,
  type ReceivedDatagram,
  serve,
} from 'millrace'
import { type Equal, expect } from './expect.js'

interface Ping {
  id: number
}

export async function sockets(): Promise<void> {
  await using socket = await bind({
    address: 'udp://127.0.0.1:0',
    codec: json<Ping, string>(lengthField()),
    message(socket, message, info) {
      expect<Equal<typeof socket, DatagramSocket<Ping, string>>>()
      expect<Equal<typeof message, Ping>>()
      expect<Equal<typeof info, DatagramInfo>>()
      expect<Equal<ReturnType<typeof socket.send>, boolean>>()
      socket.send('pong', info)
      // @ts-expect-error: the codec sends strings
      socket.send(message, info)
      // @ts-expect-error: a destination is needed
      socket.send('pong')
    },
    drain: (socket) => expect<Equal<typeof socket, DatagramSocket<Ping, string>>>(),
    close: (_, error) => expect<Equal<typeof error, CodedError | undefined>>(),
    error(error, socket, info) {
      expect<Equal<typeof error, CodedError>>()
      expect<Equal<typeof socket, DatagramSocket<Ping, string>>>()
      expect<Equal<typeof info, DatagramInfo | undefined>>()
    },
    multicast: { groups: ['239.1.2.3', { address: 'ff02::114', interface: 2 }], ttl: 1 },
  })
  expect<Equal<typeof socket, DatagramSocket<Ping, string>>>()
  expect<Equal<typeof socket.address, `udp://${string}`>>()
  expect<Equal<ReturnType<typeof socket.stats>, DatagramStats>>()
  expect<Equal<ReturnType<typeof socket.close>, Promise<void>>>()
  const membership: MembershipOptions = { interface: 'eth0', source: '10.0.0.7' }
  expect<Equal<ReturnType<typeof socket.joinMulticast>, Promise<void>>>()
  await socket.leaveMulticast('239.1.2.3', membership)
  for await (const received of socket) expect<Equal<typeof received, ReceivedDatagram<Ping>>>()
}

export async function plain(): Promise<void> {
  const socket = await bind({
    address: 'udp://:0',
    message: (_, bytes) => expect<Equal<typeof bytes, Buffer>>(),
  })
  expect<Equal<typeof socket, DatagramSocket<Buffer, FrameData>>>()
  // @ts-expect-error: an address is needed
  await bind({})
  // @ts-expect-error: there are no connections to open
  await bind({ address: 'udp://:0', open() {} })
  const server = await serve({ listen: 'tcp://:0' })
  await bind({ address: 'udp://:0', loops: server })
}

export async function connected(): Promise<void> {
  const socket = await connect({
    to: 'udp://127.0.0.1:9000',
    timeout: 1000,
    codec: json<Ping, string>(lengthField()),
    message(socket, message) {
      expect<Equal<typeof socket, ConnectedDatagramSocket<Ping, string>>>()
      expect<Equal<typeof message, Ping>>()
      socket.send('pong')
    },
  })
  expect<Equal<typeof socket, ConnectedDatagramSocket<Ping, string>>>()
  expect<Equal<typeof socket.remote, string>>()
  // @ts-expect-error: the peer is the destination
  socket.send('pong', '127.0.0.1:9')
  // @ts-expect-error: a connected socket joins no groups
  socket.joinMulticast('239.1.2.3')
  for await (const { message } of socket) expect<Equal<typeof message, Ping>>()

  // Stream addresses still give connections and clients.
  const conn = await connect({ to: 'tcp://127.0.0.1:9000' })
  expect<Equal<typeof conn, Conn<Buffer, FrameData, undefined>>>()
  const client = await connect({ to: 'tcp://127.0.0.1:9000', reconnect: true })
  expect<Equal<typeof client, Client<Buffer, FrameData, undefined>>>()
  const named: string = 'tcp://127.0.0.1:9000'
  await connect({ to: named })
}

export type Options = [
  BindOptions<Ping, string>,
  ConnectDatagramOptions<Ping, string>,
  DatagramHandlers<Ping, string>,
  MulticastOptions,
]
