/** The public options of `connect` for datagram sockets. */

import type { FrameData } from '../codec/frame-data.js'
import type { Conn } from '../connection/conn.js'
import type { BindOptions } from './bind-options.js'
import type { DatagramHandlers } from './datagram-handlers.js'
import type { ConnectedDatagramSocket } from './datagram-socket.js'
import type { SilenceLimits } from './silence-watch.js'

/**
 * The options and handlers of `connect` for a datagram socket. `to` is required.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @example
 * ```ts
 * const options: ConnectDatagramOptions = {
 *   to: 'udp://127.0.0.1:9000',
 *   message: (socket, bytes) => console.log(socket.remote, bytes),
 * }
 * const socket = await connect(options)
 * ```
 */
export interface ConnectDatagramOptions<In = Buffer, Out = FrameData>
  extends DatagramHandlers<In, Out, ConnectedDatagramSocket<In, Out>>,
    Pick<
      BindOptions<In, Out>,
      | 'codec'
      | 'loops'
      | 'max'
      | 'highWaterMark'
      | 'maxWriteBuffer'
      | 'maxParked'
      | 'ttl'
      | 'receiveBuffer'
      | 'sendBuffer'
      | 'receiveOffload'
      | 'dscp'
      | 'bindToDevice'
      | 'ringBytes'
      | 'signal'
    > {
  /**
   * The peer: `udp://host:port`. A host is an IPv4 address, an IPv6 address in brackets, or a name, which
   * means its first address. Without a host the peer is on this machine.
   */
  to: `udp://${string}`
  /** A connection, which has to be open. The socket uses the same loop. Not together with `loops`. */
  loop?: Conn | undefined
  /**
   * The most milliseconds that the look-up of the peer's name may take. After that `connect` rejects with
   * `ERR_CONNECT_TIMEOUT`. An IP address needs no look-up. Default: no limit of our own, but the
   * resolver's.
   */
  timeout?: number | undefined
  /**
   * An IP address of this machine to send from, with or without a port. It has to be of the peer's family.
   * Default: the system chooses.
   */
  localAddress?: string | undefined
  /**
   * How long the peer may be silent, and how long both sides may be, in milliseconds. The socket closes after that,
   * with `ERR_RECEIVE_TIMEOUT` or `ERR_IDLE_TIMEOUT`. The times begin again when the socket is resumed or pulled
   * from. Default: no limit.
   */
  timeouts?: SilenceLimits | undefined
  /**
   * Nothing was sent or received for the time that `timeouts.idle` sets. The time begins again: send a ping, or
   * close the socket. Without this handler it closes with `ERR_IDLE_TIMEOUT`.
   */
  idle?(socket: ConnectedDatagramSocket<In, Out>): unknown
}
