/** Connects datagram sockets: each has one peer. */

import { destination } from '../address/destination.js'
import { localAddress } from '../address/local-address.js'
import { parseAddress } from '../address/parse-address.js'
import { addressesOf } from '../address/resolve.js'
import type { Destination, TcpAddress } from '../address/socket-address.js'
import { checkLoop } from '../connection/check-loop.js'
import { invalidOption, MillraceError } from '../errors.js'
import { joinGroup } from '../runtime/choose-group.js'
import { whole } from '../util/checks.js'
import { clearTimeout, setTimeout } from '../util/timers.js'
import type { BindOptions } from './bind-options.js'
import { openDatagramSocket } from './bind-sockets.js'
import { CONNECTED_NAMES, checkBind } from './check-bind.js'
import type { ConnectDatagramOptions } from './connect-datagram-options.js'
import type { AnyHandlers } from './datagram-handlers.js'
import type { ConnectedDatagramSocket } from './datagram-socket.js'
import { SilenceWatch } from './silence-watch.js'

/** The options of a socket, whatever its messages are. */
type AnyOptions = ConnectDatagramOptions<never, never>

/** Returns whether the options of `connect` ask for a datagram socket. */
export function isDatagram(options: unknown): options is AnyOptions {
  const { to } = (options ?? {}) as { to?: unknown }
  return typeof to === 'string' && /^udp:/i.test(to)
}

/**
 * Connects a datagram socket. Nothing is sent to the peer.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED`, `ERR_CONNECT_TIMEOUT`, the
 *   resolver's error, the system's error, or the reason of `signal`
 */
export async function connectDatagrams(
  options: AnyOptions,
): Promise<ConnectedDatagramSocket<unknown, unknown>> {
  const bindOptions = options as unknown as BindOptions<never, never>
  const settings = checkBind(bindOptions, CONNECTED_NAMES)
  const silence = new SilenceWatch(options.timeouts, options.idle)
  const { signal, loops } = options
  const timeout = whole('timeout', options.timeout, 0, 1)
  const loop = checkLoop(options.loop)
  if (loop !== undefined && loops !== undefined)
    throw new MillraceError(
      'ERR_INVALID_OPTION',
      'loop and loops cannot be used together: leave out one of them',
    )
  signal?.throwIfAborted()
  const { to: given, localAddress: local } = options
  const to = destination(parseAddress(given, 'connect'))
  // Join before anything is awaited, because a group stops when its last user leaves.
  const group = joinGroup(loops, options.ringBytes, loop)
  const handlers = options as unknown as AnyHandlers
  const target = within(timeout, peerOf(to), given).then((peer) => ({
    address: localOf(local, peer),
    peer,
  }))
  const plan = { group, settings, handlers, isSpread: false, target, loop, signal, silence }
  return (await openDatagramSocket(plan)) as unknown as ConnectedDatagramSocket<unknown, unknown>
}

/** Returns the peer's address: the first one of a name. */
async function peerOf(to: Destination): Promise<TcpAddress> {
  if (to.kind !== 'name') return to as TcpAddress
  const [first] = await addressesOf(to.host, to.port)
  return first as TcpAddress
}

/**
 * Settles as the promise does, or rejects with `ERR_CONNECT_TIMEOUT` if the timeout passes first.
 *
 * @param timeout milliseconds, 0 for no limit
 */
function within<T>(timeout: number, promise: Promise<T>, to: string): Promise<T> {
  if (timeout === 0) return promise
  return new Promise((resolve, reject) => {
    const expire = () => {
      const message = `not connected to ${to} within ${timeout} ms`
      reject(new MillraceError('ERR_CONNECT_TIMEOUT', message))
    }
    const timer = setTimeout(expire, timeout)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** Returns the address to bind: `localAddress`, or any address of the peer's family. */
function localOf(local: unknown, peer: TcpAddress): TcpAddress {
  const isIPv6 = peer.host.includes(':')
  const any = { ...peer, host: isIPv6 ? '::' : '0.0.0.0', port: 0, scope: 0 }
  if (local === undefined) return any
  if (typeof local !== 'string') throw invalidOption('localAddress', 'an IP address', local)
  const own = localAddress(local)
  if (own.host.includes(':') !== isIPv6) {
    const family = isIPv6 ? 'IPv6' : 'IPv4'
    throw new MillraceError(
      'ERR_INVALID_ADDRESS',
      `localAddress (${own.host}) has to be an ${family} address, as the peer is (${peer.host})`,
    )
  }
  return { ...any, ...own }
}
