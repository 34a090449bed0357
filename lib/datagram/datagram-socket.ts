/** A datagram socket as its user sees it. */

import type { MillraceError } from '../errors.js'
import type { DatagramInfo } from './datagram-info.js'
import type { DatagramSocketOptions } from './options.js'

/** A message that was pulled, and who sent it. */
export interface Received<In> {
  readonly message: In
  readonly info: DatagramInfo
}

/** A socket's counts at one moment. */
export interface DatagramStats {
  /** Datagrams received. */
  readonly received: number
  /** Datagrams that the kernel took. */
  readonly sent: number
  /** Bytes received. */
  readonly bytesRead: number
  /** Bytes that the kernel took. */
  readonly bytesWritten: number
  /**
   * Datagrams that the kernel dropped because nobody received them in time; several that came to it as
   * one count once. Linux; elsewhere 0.
   */
  readonly dropped: number
  /** Datagrams that `send` dropped because `maxWriteBuffer` was reached. */
  readonly discarded: number
  /** Datagrams received that were longer than `max`. */
  readonly truncated: number
  /** System calls that failed: datagrams not sent, mostly. */
  readonly errors: number
}

/** The interface that a multicast group is joined on, and whose multicasts alone are received. */
export interface MembershipOptions {
  /** IPv4: the name of an interface or its address. IPv6: its name or index. Default: the system's choice. */
  interface?: string | number
  /** Only what this host sends, by its address, of the group's family. */
  source?: string
}

/** What a user of a datagram socket writes: functions, all of them optional. */
export interface DatagramHandlers<In, Out, Socket = DatagramSocket<In, Out>> {
  /**
   * A datagram. A promise is not awaited before the next one. Without this handler datagrams are
   * pulled with `for await (const { message, info } of socket)`.
   */
  message?(socket: Socket, message: In, info: DatagramInfo): unknown
  /** After `send` said `false`: there is room again. Exactly once for each such episode. */
  drain?(socket: Socket): unknown
  /** The end, whatever ended it. `error` is undefined after `close()`. */
  close?(socket: Socket, error?: Error): unknown
  /**
   * What went wrong, and did not close the socket: the system's error of sending (`EMSGSIZE`,
   * `ENETUNREACH`, …), a datagram that `decode` refused, a throw in a handler. `info` says whose
   * datagram it was, where it was one.
   */
  error?(error: MillraceError | Error, socket: Socket, info?: DatagramInfo): unknown
}

/**
 * A datagram socket.
 *
 * Without a `message` handler its datagrams are pulled: `for await (const { message, info } of
 * socket)`. The iteration ends when the socket is closed.
 *
 * @typeParam In the messages it gives
 * @typeParam Out the messages it takes
 */
export interface DatagramSocket<In = Buffer, Out = Uint8Array | string>
  extends AsyncIterable<Received<In>>,
    AsyncDisposable {
  /** Where it is bound: `udp://127.0.0.1:9000`. */
  readonly address: string
  /** The port of `address`. */
  readonly port: number
  readonly readyState: 'open' | 'closed'
  /**
   * Sends a message in one datagram. It is encoded and copied before this returns.
   *
   * @param to the `info` of a datagram, or an IP address and a port: `127.0.0.1:9000`, `[::1]:9000`
   * @returns `false` if the socket is closed (nothing was sent), or if more than `highWaterMark` bytes
   *   now wait: `drain` or `close` always follows. Over `maxWriteBuffer` the datagram is dropped, and
   *   counted in `stats().discarded`.
   * @throws `ERR_INVALID_ADDRESS`, `ERR_FRAME_TOO_LARGE`, or whatever `encode` throws: nothing was sent
   *   then
   */
  send(message: Out, to: DatagramInfo | string): boolean
  stats(): DatagramStats
  /** No `message` after this returns, until `resume`. What the kernel has no room for it drops, and counts. */
  pause(): void
  resume(): void
  /**
   * Receives nothing more, sends what was sent before (within a second), and closes. Resolves when it
   * is closed.
   */
  close(): Promise<void>
  /**
   * Receives what is sent to a multicast group, such as `239.1.2.3` or `ff02::114`.
   *
   * @throws `ERR_INVALID_ADDRESS`, `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`, `ERR_CLOSED`, or the
   *   system's error
   */
  joinMulticast(group: string, options?: MembershipOptions): Promise<void>
  /** Receives it no more; with the options that it was joined with. Throws as `joinMulticast`. */
  leaveMulticast(group: string, options?: MembershipOptions): Promise<void>
  /** The interface that multicasts are sent from, as in `joinMulticast`. */
  setMulticastInterface(name: string | number): Promise<void>
  /** How many routers multicasts may pass, 0 to 255. The system's default is 1. */
  setMulticastTTL(ttl: number): Promise<void>
  /** Whether this machine receives the multicasts it sends. The system's default is true. */
  setMulticastLoopback(on: boolean): Promise<void>
  /** How many routers datagrams may pass, 1 to 255. */
  setTTL(ttl: number): Promise<void>
  /** Whether it may send to broadcast addresses. */
  setBroadcast(on: boolean): Promise<void>
  /**
   * Changes options while it is open: all of them are checked before the first is set.
   *
   * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`, `ERR_CLOSED`, or the system's error
   */
  setSocketOptions(options: DatagramSocketOptions): Promise<void>
  /**
   * What the kernel has; with several loops, of the first that is left. `dscp` is not there where the
   * system does not have it. Linux reserves twice the buffers that were asked for, and says so.
   *
   * @throws `ERR_CLOSED`, or the system's error
   */
  socketOptions(): Promise<DatagramSocketOptions>
  /** Keeps the process alive while it is open; the default. */
  ref(): this
  /** Lets the process end while it is open. */
  unref(): this
}

/**
 * A datagram socket with one peer, as `connect` makes it: it sends to that one alone, the kernel drops
 * what comes from others, and `error` is told `ECONNREFUSED` where nobody is at the peer's port.
 */
export interface ConnectedSocket<In = Buffer, Out = Uint8Array | string>
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
  /** The peer: `127.0.0.1:9000`. */
  readonly remote: string
  /** Sends a message in one datagram, as {@link DatagramSocket.send}. */
  send(message: Out): boolean
  ref(): this
  unref(): this
}
