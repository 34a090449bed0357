/** The handlers of a datagram socket, which users write. */

import type { CodedError } from '../errors.js'
import type { DatagramInfo } from './datagram-info.js'
import type { DatagramSocket } from './datagram-socket.js'

/**
 * The handlers of a datagram socket: `message` for each datagram, and `close` once, at the end. All of
 * them are optional.
 *
 * A throw in a handler, or the rejection of a promise that a handler returned, goes to the handler `error`.
 * Unlike a connection, the socket stays open. Without `error` the error becomes a process warning.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Socket the type of the socket that handlers get
 * @example
 * ```ts
 * const handlers: DatagramHandlers<Buffer, FrameData> = {
 *   message: (socket, bytes, info) => socket.send(bytes, info),
 *   error: (error, _socket, info) => console.error(info?.remote, error.code),
 * }
 * await bind({ address: 9000, ...handlers })
 * ```
 */
export interface DatagramHandlers<In, Out, Socket = DatagramSocket<In, Out>> {
  /**
   * A datagram has arrived. If this handler returns a promise, the next datagram does not wait for it.
   * Without this handler datagrams are pulled with `for await (const { message, info } of socket)`.
   */
  message?(socket: Socket, message: In, info: DatagramInfo): unknown
  /** There is room again after `send` returned `false`. Runs exactly once for each such episode. */
  drain?(socket: Socket): unknown
  /** The socket has closed, for whatever reason. `error` is undefined after `close()`. */
  close?(socket: Socket, error?: CodedError): unknown
  /**
   * An error that does not close the socket: the system failed to send (`EMSGSIZE`, `ENETUNREACH`, …),
   * `decode` refused a datagram, a handler threw, or one of several loops has panicked. Without `close` it
   * also gets the error that the socket closed with. `info` is set if the error belongs to a datagram that
   * was received.
   */
  error?(error: CodedError, socket: Socket, info?: DatagramInfo): unknown
}

/** Handlers whatever their messages are. */
export type AnyHandlers = DatagramHandlers<unknown, unknown>

/** The names of all handlers. */
export const HANDLERS = ['message', 'drain', 'close', 'error'] as const
