/** Connects datagram sockets, which have one peer each. */

import { localAddress } from '../address/local-address.js'
import { parseAddress } from '../address/parse-address.js'
import { addressesOf, destination } from '../address/resolve.js'
import type { Destination, TcpAddress } from '../address/socket-address.js'
import { raw } from '../codec/framings.js'
import { checkLoop } from '../connection/check-loop.js'
import type { Conn } from '../connection/conn.js'
import { invalidOption, MillraceError } from '../errors.js'
import { joinGroup } from '../runtime/choose-group.js'
import { whole } from '../util/checks.js'
import { openDatagramSocket } from './bind-sockets.js'
import type { ConnectedSocket, DatagramHandlers } from './datagram-socket.js'
import { type AnyHandlers, type BindOptions, CONNECTED_NAMES, checkBind } from './options.js'

/** What `connect` takes for a datagram socket: handlers, and the options here. */
export interface ConnectDatagramOptions<In = Buffer, Out = Uint8Array | string>
  extends DatagramHandlers<In, Out, ConnectedSocket<In, Out>>,
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
   * The peer: `udp://host:port`. A host may be an IPv4 address, an IPv6 address in brackets, a name
   * (its first address), or nothing (this machine).
   */
  to: `udp://${string}`
  /** The loop of a connection, which has to be open. Not with `loops`. */
  loop?: Conn
  /**
   * Milliseconds until it gives up looking up the name of the peer, with `ERR_CONNECT_TIMEOUT`. An
   * address needs no time. Default: as long as the resolver takes.
   */
  timeout?: number
  /** An IP address of this machine to send from, with or without a port. Default: what the system chooses. */
  localAddress?: string
}

type AnyOptions = ConnectDatagramOptions<never, never>

/** Tells whether the options name a peer of datagrams. */
export function isDatagram(options: unknown): options is AnyOptions {
  const { to } = (options ?? {}) as { to?: unknown }
  return typeof to === 'string' && /^udp:/i.test(to)
}

/** Connects a datagram socket. Nothing is sent to the peer. */
export async function connectDatagrams(
  options: AnyOptions,
): Promise<ConnectedSocket<unknown, unknown>> {
  const general = options as unknown as BindOptions<never, never>
  const settings = checkBind(general, raw(), CONNECTED_NAMES)
  const { signal, loops } = options
  const timeout = whole('timeout', options.timeout, 0, 1)
  const loop = checkLoop(options.loop)
  if (loop !== undefined && loops !== undefined)
    throw new MillraceError('ERR_INVALID_OPTION', 'loop and loops exclude each other')
  signal?.throwIfAborted()
  const to = destination(parseAddress(options.to, 'connect'))
  // Joined before anything is awaited, because a group stops when its last user leaves.
  const group = joinGroup(loops, options.ringBytes, loop)
  const handlers = options as unknown as AnyHandlers
  const place = within(timeout, peerOf(to), options.to).then((peer) => ({
    address: localOf(options.localAddress, peer),
    peer,
  }))
  const plan = { group, settings, handlers, isSpread: false, place, loop, signal }
  return (await openDatagramSocket(plan)) as unknown as ConnectedSocket<unknown, unknown>
}

async function peerOf(place: Destination): Promise<TcpAddress> {
  if (place.kind !== 'name') return place as TcpAddress
  const [first] = await addressesOf(place.host, place.port)
  return first as TcpAddress
}

/** Settles as the promise does, unless the timeout passes first. */
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

/** Returns where to bind: the address that was asked for, or any of the peer's family. */
function localOf(local: unknown, peer: TcpAddress): TcpAddress {
  const isV6 = peer.host.includes(':')
  const any = { ...peer, host: isV6 ? '::' : '0.0.0.0', port: 0, scope: 0 }
  if (local === undefined) return any
  if (typeof local !== 'string') throw invalidOption('localAddress', 'an IP address', local)
  const own = localAddress(local)
  if (own.host.includes(':') !== isV6) {
    throw new MillraceError(
      'ERR_INVALID_ADDRESS',
      `${peer.host} is not of the family of localAddress, ${own.host}`,
    )
  }
  return { ...any, ...own }
}
