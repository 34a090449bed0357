/** A datagram socket as its user sees it. */

import type { DatagramInfo } from './datagram-info.js'
import type { DatagramSocketOptions } from './datagram-live-options.js'
import type { MembershipOptions } from './multicast-options.js'

/**
 * A datagram that was pulled: its message, and what is known about the datagram.
 *
 * @typeParam In the messages received
 * @example
 * ```ts
 * for await (const { message, info } of socket) socket.send(message, info)
 * ```
 */
export interface ReceivedDatagram<In> {
  /** What `decode` returned. */
  readonly message: In
  /** The sender, and whether the datagram was cut. */
  readonly info: DatagramInfo
}

/**
 * A datagram socket's counts since it was bound.
 *
 * @example
 * ```ts
 * const { received, dropped }: DatagramStats = socket.stats()
 * console.log(`lost ${dropped} of ${received + dropped}`)
 * ```
 */
export interface DatagramStats {
  /** Datagrams received. */
  readonly received: number
  /** Datagrams that the kernel has taken to send. */
  readonly sent: number
  /** Bytes received. */
  readonly bytesRead: number
  /** Bytes that the kernel has taken to send. */
  readonly bytesWritten: number
  /**
   * Datagrams that the kernel dropped because they were not received in time. Datagrams that arrived
   * together count once; see the option `receiveOffload`. Linux; elsewhere 0.
   */
  readonly dropped: number
  /** Datagrams that `send` dropped because more than `maxWriteBuffer` bytes were waiting. */
  readonly discarded: number
  /** Datagrams received that were longer than `max`, and were cut. */
  readonly truncated: number
  /** System calls that failed. Most of them could not send a datagram. */
  readonly errors: number
}

/**
 * A datagram socket.
 *
 * Without a `message` handler its datagrams are pulled: `for await (const { message, info } of socket)`.
 * Leaving that loop early closes nothing, and the socket may be iterated again. The iteration finishes when
 * the socket is closed, and throws the error that the socket closed with.
 *
 * A plain `DatagramSocket` is any datagram socket, whatever its messages are.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @example
 * ```ts
 * const socket = await bind({ address: 'udp://127.0.0.1:9000' })
 * for await (const { message, info } of socket) {
 *   if (!socket.send(message, info)) console.log(socket.stats())
 * }
 * ```
 */
// biome-ignore-start lint/suspicious/noExplicitAny: a plain `DatagramSocket` has to take every one
export interface DatagramSocket<In = any, Out = any>
  extends AsyncIterable<ReceivedDatagram<In>>,
    AsyncDisposable {
  // biome-ignore-end lint/suspicious/noExplicitAny: see above
  /** The address that the socket is bound to: `udp://127.0.0.1:9000`. */
  readonly address: `udp://${string}`
  /** The port that the socket is bound to. */
  readonly port: number
  /** `'closed'` from the call of `close()` on, or once the socket has failed. */
  readonly readyState: 'open' | 'closed'
  /**
   * Sends a message in one datagram. The message is encoded and copied before `send` returns. An answer to the `info`
   * of a datagram leaves from the address that the datagram was sent to: see {@link DatagramInfo.local}.
   *
   * @param to the `info` of a datagram, or an IP address and a port: `127.0.0.1:9000`, `[::1]:9000`
   * @returns `true` if you may go on sending. `false` if more than `highWaterMark` bytes now wait: the
   *   message was accepted, and `drain` or `close` always follows. Also `false` if more than
   *   `maxWriteBuffer` bytes wait: the message was dropped and counted in `stats().discarded`. Also
   *   `false` if the socket is closed: nothing was sent
   * @throws `ERR_INVALID_ADDRESS`, `ERR_FRAME_TOO_LARGE`, or whatever `encode` throws. Nothing was sent
   *   then
   * @example
   * ```ts
   * socket.send('ping', '127.0.0.1:9000')
   * ```
   */
  send(message: Out, to: DatagramInfo | string): boolean
  /** Returns the socket's counts. */
  stats(): DatagramStats
  /**
   * Delivers no `message` from now on, until `resume()`. The loops stop receiving; the kernel drops, and
   * counts, the datagrams that it has no room for.
   */
  pause(): void
  /** Delivers messages again. Those that are parked come first, once the running code is finished. */
  resume(): void
  /**
   * Receives nothing more, sends what waits (within a second), and closes. Resolves once the socket is
   * closed. A second call shares the promise of the first one.
   */
  close(): Promise<void>
  /**
   * Receives what is sent to a multicast group from now on.
   *
   * Rejects with `ERR_INVALID_ADDRESS`, `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`, `ERR_CLOSED`, or the
   * system's error.
   *
   * @param group the group's IP address, such as `239.1.2.3` or `ff02::114`
   * @example
   * ```ts
   * await socket.joinMulticast('239.1.2.3', { interface: 'eth0' })
   * ```
   */
  joinMulticast(group: string, options?: MembershipOptions): Promise<void>
  /**
   * Stops receiving what is sent to a multicast group. Rejects as `joinMulticast` does.
   *
   * @param options the options that the group was joined with
   */
  leaveMulticast(group: string, options?: MembershipOptions): Promise<void>
  /**
   * Sets the network interface that multicasts are sent from. Rejects with `ERR_INVALID_OPTION`,
   * `ERR_CLOSED`, or the system's error.
   *
   * @param name the interface's name, its IPv4 address, or for IPv6 its index
   */
  setMulticastInterface(name: string | number): Promise<void>
  /**
   * Sets how many routers a multicast may pass. Rejects as `setMulticastInterface` does.
   *
   * @param ttl 0 to 255. The system's default is 1
   */
  setMulticastTTL(ttl: number): Promise<void>
  /**
   * Sets whether this machine receives the multicasts that it sends. Rejects as `setMulticastInterface`
   * does.
   *
   * @param on the system's default is true
   */
  setMulticastLoopback(on: boolean): Promise<void>
  /**
   * Sets how many routers a datagram may pass. Rejects as `setMulticastInterface` does.
   *
   * @param ttl 1 to 255
   */
  setTTL(ttl: number): Promise<void>
  /** Sets whether the socket may send to broadcast addresses. Rejects as `setMulticastInterface` does. */
  setBroadcast(on: boolean): Promise<void>
  /**
   * Changes options of the socket. All of them are checked before the first one is set. Rejects with
   * `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`, `ERR_CLOSED`, or the system's error.
   *
   * @example
   * ```ts
   * await socket.setSocketOptions({ receiveBuffer: 4 * 1024 * 1024 })
   * ```
   */
  setSocketOptions(options: DatagramSocketOptions): Promise<void>
  /**
   * Reads the socket's options from the kernel. If the socket has several loops, the values are those of
   * the first loop that is left. `dscp` is missing if the system does not have it. Linux reserves twice the
   * buffers that were asked for, and reports that size. Rejects with `ERR_CLOSED` or the system's error.
   */
  socketOptions(): Promise<DatagramSocketOptions>
  /** Keeps the process alive while the socket is open, which is the default. */
  ref(): this
  /** Lets the process exit while the socket is open. */
  unref(): this
}

/**
 * A datagram socket with one peer, which `connect` makes. It sends only to the peer, and the kernel drops
 * what others send. If no process listens on the peer's port, the handler `error` gets `ECONNREFUSED` once
 * the system knows.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @example
 * ```ts
 * const socket: ConnectedDatagramSocket = await connect({ to: 'udp://127.0.0.1:9000' })
 * socket.send('ping')
 * ```
 */
// biome-ignore-start lint/suspicious/noExplicitAny: a plain `ConnectedDatagramSocket` has to take every one
export interface ConnectedDatagramSocket<In = any, Out = any>
  extends Omit<
    DatagramSocket<In, Out>,
    | 'send'
    | 'joinMulticast'
    | 'leaveMulticast'
    | 'setMulticastInterface'
    | 'setMulticastLoopback'
    | 'setBroadcast'
    | 'ref'
    | 'unref'
  > {
  // biome-ignore-end lint/suspicious/noExplicitAny: see above
  /** The peer's address: `127.0.0.1:9000`. */
  readonly remote: string
  /** Sends a message to the peer in one datagram. Returns and throws as {@link DatagramSocket.send} does. */
  send(message: Out): boolean
  /** Keeps the process alive while the socket is open, which is the default. */
  ref(): this
  /** Lets the process exit while the socket is open. */
  unref(): this
}
