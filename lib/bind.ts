/** Binds datagram sockets. */

import { parseAddress } from './address/parse-address.js'
import { resolveDatagram } from './address/resolve.js'
import type { FrameData } from './codec/frame-data.js'
import type { BindOptions } from './datagram/bind-options.js'
import { openDatagramSocket } from './datagram/bind-sockets.js'
import { checkBind, requireReusePort } from './datagram/check-bind.js'
import type { AnyHandlers } from './datagram/datagram-handlers.js'
import type { DatagramSocket } from './datagram/datagram-socket.js'
import { joinGroup } from './runtime/choose-group.js'

/**
 * Binds a datagram socket, and calls the handlers for what arrives.
 *
 * @typeParam In the messages received, inferred from the codec. Default `Buffer`
 * @typeParam Out the messages sent, inferred from the codec. Default `FrameData`
 * @param options where to bind, the codec, the handlers, and all other options
 * @returns the socket, once it is bound
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED`, `ERR_INLINE_UNSUPPORTED`; the
 *   resolver's error, such as `ENOTFOUND`, or the system's, such as `EADDRINUSE`; the reason of `signal`.
 *   Nothing is bound then
 * @example
 * ```ts
 * const socket = await bind({
 *   address: 'udp://127.0.0.1:9000',
 *   message: (socket, bytes, info) => socket.send(bytes, info),
 * })
 * ```
 */
// `& Pick` adds nothing to the type. Without it TypeScript infers no messages from `codec` when `address`
// is missing, and then complains about the codec instead.
export async function bind<In = Buffer, Out = FrameData>(
  options: BindOptions<In, Out> & Pick<BindOptions<In, Out>, 'codec'>,
): Promise<DatagramSocket<In, Out>> {
  const settings = checkBind(options as unknown as BindOptions<never, never>)
  const { signal } = options
  signal?.throwIfAborted()
  const parsed = parseAddress(options.address, 'bind')
  const isSpread = settings.reusePort ?? (typeof options.loops === 'number' && options.loops > 1)
  if (isSpread) requireReusePort()
  // Join before anything is awaited, because a group stops when its last user leaves.
  const group = joinGroup(options.loops, options.ringBytes)
  const handlers = options as unknown as AnyHandlers
  const target = resolveDatagram(parsed).then((address) => ({ address }))
  const socket = await openDatagramSocket({ group, settings, handlers, isSpread, target, signal })
  return socket as unknown as DatagramSocket<In, Out>
}
