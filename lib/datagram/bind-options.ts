/** The public options of `bind`. */

import type { Address } from '../address/address.js'
import type { Codec } from '../codec/codec.js'
import type { Server } from '../server/server.js'
import type { DatagramHandlers } from './datagram-handlers.js'
import type { MulticastOptions } from './multicast-options.js'

/**
 * The options and handlers of `bind`. `address` is required.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @example
 * ```ts
 * const options: BindOptions<Buffer, FrameData> = {
 *   address: 'udp://127.0.0.1:9000',
 *   receiveBuffer: 4 * 1024 * 1024,
 *   message: (socket, bytes, info) => socket.send(bytes, info),
 * }
 * await bind(options)
 * ```
 */
export interface BindOptions<In, Out> extends DatagramHandlers<In, Out> {
  /**
   * Where to bind: a UDP port on all addresses of this machine (`9000`), a host and a port
   * (`{ host: '127.0.0.1', port: 9000 }`), or a URL (`udp://127.0.0.1:9000`); see {@link Address}. A
   * name means its first address. Port 0 lets the system choose; `socket.port` shows the port.
   */
  address: Address
  /**
   * How datagrams become messages, and messages datagrams. The codec's framing is not used: `decode` gets
   * exactly one datagram and has to read all of it, and what `encode` writes is one datagram. If `decode`
   * returns `undefined`, the datagram is swallowed. Default `raw()`: messages are the bytes of datagrams.
   */
  codec?: Codec<In, Out> | undefined
  /**
   * The event loops that serve the socket. A number from 1 to 128 starts so many loops for this socket
   * alone, each with a thread; with two or more, each loop gets a socket of its own on the same port (see
   * `reusePort`). `'inline'` runs one loop on Node's own event loop, without a thread. A server shares
   * its loops. Default: the loops that everything in this JavaScript environment shares; one of them gets
   * the socket.
   */
  loops?: number | 'inline' | Server | undefined
  /**
   * Whether each loop gets a socket of its own on the same port. The kernel spreads the peers over the
   * sockets, and other processes of the same user may share the port. Linux and FreeBSD. Default: true if
   * `loops` is a number of 2 or more.
   */
  reusePort?: boolean | undefined
  /**
   * Whether other sockets may bind the same address, and receive its multicasts too. A datagram for one
   * receiver then goes to any of them. Default false.
   */
  reuseAddress?: boolean | undefined
  /**
   * The size of the largest datagram in bytes, received or sent. A longer one that arrives is cut, and
   * `info.truncated` is true. Default 65,527, or less if a quarter of a ring has no room for it.
   */
  max?: number | undefined
  /**
   * The number of unsent bytes over which `send` returns `false`. Each datagram counts for 64 bytes more.
   * `drain` follows at half of it. Default 256 KiB, or `maxWriteBuffer` if that is less.
   */
  highWaterMark?: number | undefined
  /**
   * The number of unsent bytes over which `send` drops datagrams. Each datagram counts for 64 bytes more.
   * Default 1 MiB.
   */
  maxWriteBuffer?: number | undefined
  /**
   * Bytes of received datagrams that may wait while nobody pulls, or while the socket is paused. Then
   * receiving stops. Default 1 MiB, and at most 1,024 datagrams.
   */
  maxParked?: number | undefined
  /** Whether the socket may send to broadcast addresses. Default false. */
  broadcast?: boolean | undefined
  /** Multicast groups to join, and how multicasts are sent. */
  multicast?: MulticastOptions | undefined
  /** How many routers a datagram may pass, 1 to 255. Default: the system's. */
  ttl?: number | undefined
  /**
   * The size of the kernel's receive buffer in bytes, 1 or more. It holds datagrams that were not received
   * yet. The kernel may round the size, and limits it. Default: the system's.
   */
  receiveBuffer?: number | undefined
  /** The size of the kernel's send buffer in bytes, 1 or more. Default: the system's. */
  sendBuffer?: number | undefined
  /**
   * Whether the kernel may hand over several datagrams of one sender at a time, which takes less work.
   * Each is still a message of its own, but datagrams that are dropped together count once in
   * `stats().dropped`. Linux; no effect elsewhere. Default true.
   */
  receiveOffload?: boolean | undefined
  /** The class of the packets (differentiated services), 0 to 63. Not on Windows. */
  dscp?: number | undefined
  /** The network interface to use, such as `eth0`: only its datagrams are received and sent. Linux. */
  bindToDevice?: string | undefined
  /**
   * Whether a socket on an IPv6 address refuses IPv4. Default: true, but false for an address without a
   * host. Not for IPv4 addresses.
   */
  ipv6Only?: boolean | undefined
  /**
   * The size in bytes of each of a loop's two rings: a power of two from 4 KiB to 1 GiB. Only if `loops`
   * is a number or `'inline'`. Default 1 MiB.
   */
  ringBytes?: number | undefined
  /** Closes the socket when it aborts, as `socket.close()` does. */
  signal?: AbortSignal | undefined
}
