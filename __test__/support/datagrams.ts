/** Binds sockets for specs, with the loops and rings that the run asks for, and makes their peers. */

import dgram from 'node:dgram'
import { once } from 'node:events'
import type { ExecutionContext } from 'ava'
import { type Address, type BindOptions, bind, type DatagramSocket } from 'millrace'
import { LOOPS, RING_BYTES } from './serve.js'

/** The largest datagram that fits the rings of this run. */
export const LARGEST: number = Math.min(65_507, RING_BYTES / 4 - 48)

/** The parts of `BindOptions` that a spec need not name. */
type Optional<In, Out> = Omit<BindOptions<In, Out>, 'address'> & {
  address?: Address
}

/** A socket on a loopback port, closed when the test ends. */
export async function bound<In = Buffer, Out = Uint8Array | string>(
  t: ExecutionContext,
  options: Optional<In, Out> = {},
): Promise<DatagramSocket<In, Out>> {
  // An explicit `undefined` asks for the shared loops.
  const loops = 'loops' in options ? options.loops : LOOPS
  const isOwn = typeof loops === 'number' || loops === 'inline'
  const socket = await bind<In, Out>({
    address: 'udp://127.0.0.1:0',
    loops,
    ...(isOwn ? { ringBytes: RING_BYTES } : {}),
    ...options,
  } as BindOptions<In, Out>)
  t.teardown(() => socket.close())
  return socket
}

export function portOf(address: string): number {
  return Number(address.split(':').pop())
}

/** A socket made with Node, so that no test has millrace on both ends. */
export interface Peer {
  readonly socket: dgram.Socket
  readonly port: number
  send(bytes: Uint8Array | string, port: number, host?: string): void
  /** The next datagram that no call has returned yet. */
  next(): Promise<Buffer>
  /** Sends and waits for the next datagram. */
  ask(bytes: Uint8Array | string, port: number, host?: string): Promise<Buffer>
}

export async function peer(
  t: ExecutionContext,
  { host = '127.0.0.1', receiveBuffer = 0 } = {},
): Promise<Peer> {
  const type = host.includes(':') ? 'udp6' : 'udp4'
  const socket = dgram.createSocket(
    receiveBuffer > 0 ? { type, recvBufferSize: receiveBuffer } : { type },
  )
  socket.bind(0, host)
  await once(socket, 'listening')
  t.teardown(() => new Promise<void>((resolve) => socket.close(resolve)))
  const arrived: Buffer[] = []
  const waiting: ((bytes: Buffer) => void)[] = []
  socket.on('message', (bytes) => {
    const first = waiting.shift()
    if (first === undefined) arrived.push(bytes)
    else first(bytes)
  })
  const made: Peer = {
    socket,
    port: socket.address().port,
    send: (bytes, port, to = host) => socket.send(bytes, port, to),
    next: () => {
      const first = arrived.shift()
      return first === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(first)
    },
    ask(bytes, port, to) {
      made.send(bytes, port, to)
      return made.next()
    },
  }
  return made
}
