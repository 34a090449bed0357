/** Opens datagram sockets: binds a kernel socket for each loop, and hands the kernel sockets to the loops. */

import { isIPv6 } from 'node:net'
import { formatHostPort } from '../address/format.js'
import type { TcpAddress } from '../address/socket-address.js'
import { invalidOption, MillraceError } from '../errors.js'
import {
  bindDatagrams,
  counters,
  dropDatagrams,
  errorName,
  type SettingInit,
} from '../native/binding.js'
import { systemError } from '../native/system-error.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import type { Loop } from '../runtime/loop.js'
import { onAbort, unlessAborted } from '../util/abort-signal.js'
import type { DatagramSettings } from './check-bind.js'
import type { AnyHandlers } from './datagram-handlers.js'
import { maxDatagram } from './datagram-size.js'
import { DatagramSocketImpl } from './datagram-socket-impl.js'
import { LoopSocket } from './loop-socket.js'
import { membershipSetting, outgoingInterface } from './multicast.js'
import type { MulticastOptions } from './multicast-options.js'
import type { SilenceWatch } from './silence-watch.js'

/** The addresses of a socket. */
export interface BindTarget {
  /** The address to bind. */
  readonly address: TcpAddress
  /** The one peer of a connected socket. */
  readonly peer?: TcpAddress
}

/** Everything that a datagram socket is made from. */
export interface DatagramPlan {
  /** The group of loops to use, joined. It is left when the socket closes or cannot be opened. */
  readonly group: Group
  readonly settings: DatagramSettings
  readonly handlers: AnyHandlers
  /** Whether each loop gets a kernel socket. Otherwise one loop gets one. */
  readonly isSpread: boolean
  /** A promise, because a name may have to be looked up. */
  readonly target: Promise<BindTarget>
  /** The loop to use. Undefined: the least used loop of the group. */
  readonly loop?: Loop | undefined
  /** The limits in time of a connected socket. */
  readonly silence?: SilenceWatch
  readonly signal: AbortSignal | undefined
}

/** A kernel socket that is bound, and the loop that will get it. */
interface BoundSocket {
  readonly loop: Loop
  /** Identifies the socket in records. */
  readonly origin: number
  /** Identifies the socket in calls of the native half. */
  readonly number: number
}

/**
 * Opens a datagram socket. Resolves once every loop has its kernel socket.
 *
 * @throws `ERR_LOOP_PANIC`, `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED`, the resolver's
 *   error, the system's error, or the reason of `signal`
 */
export async function openDatagramSocket(plan: DatagramPlan): Promise<DatagramSocketImpl> {
  const { group, settings, handlers, isSpread, loop, signal } = plan
  const bound: BoundSocket[] = []
  let socket: DatagramSocketImpl
  try {
    const target = await unlessAborted(signal, plan.target)
    const alive = group.loops.filter((loop) => !loop.isLost)
    if (alive.length === 0)
      throw new MillraceError('ERR_LOOP_PANIC', 'all event loops have panicked')
    const isLoopAlive = loop !== undefined && alive.includes(loop)
    const loops = isSpread ? alive : [isLoopAlive ? loop : leastUsed(alive)]
    const max = maxDatagram(settings.max, group.ringBytes, isWildcard(target))
    const address = bindAll(loops, plan, target, max, bound)
    const { host, dualStack } = address
    socket = new DatagramSocketImpl(settings, handlers, group)
    const loopSockets = bound.map(
      ({ loop, origin, number }, index) => new LoopSocket(socket, index, loop, origin, number),
    )
    const isV6 = isIPv6(host)
    const families = { v4: !isV6 || dualStack, v6: isV6 }
    socket.setUp(loopSockets, families, max, memberships(settings.multicast))
    socket.address = `udp://${format(address)}`
    if (target.peer !== undefined) socket.setPeer(format(target.peer))
    if (plan.silence?.isEmpty === false) socket.silence = plan.silence
  } catch (error) {
    dropAll(bound)
    group.leaveSoon()
    throw error
  }
  if (signal !== undefined) closeOnAbort(socket, signal)
  await socket.open(signal)
  return socket
}

/** Returns whether a socket receives what is sent to any address of this machine. */
function isWildcard({ address, peer }: BindTarget): boolean {
  return peer === undefined && /^(::|(::ffff:)?0\.0\.0\.0)$/.test(address.host)
}

/** Called before the socket opens: an abort between its opening and this would be lost. */
function closeOnAbort(socket: DatagramSocketImpl, signal: AbortSignal): void {
  const ignore = onAbort(signal, () => {
    // Until it is open, `open` looks at the signal itself.
    if (socket.isBound) void socket.close()
  })
  void socket.finished.then(ignore)
}

function dropAll(bound: readonly BoundSocket[]): void {
  for (const { number } of bound) dropDatagrams(theEnvironment().handle, number)
}

function format({ host, port, scope }: TcpAddress): string {
  return formatHostPort(scope === 0 ? host : `${host}%${scope}`, port)
}

/** Returns the loop with the fewest connections and sockets. */
function leastUsed(loops: readonly Loop[]): Loop {
  const { handle } = theEnvironment()
  const load = (loop: Loop) => {
    const { opened, closed } = counters(handle, loop.index)
    return opened - closed + loop.socketCount
  }
  const loads = loops.map(load)
  return loops[loads.indexOf(Math.min(...loads))] as Loop
}

/** How often to look for a port that all loops can bind. */
const PORT_ATTEMPTS = 16

/**
 * Binds a kernel socket for each loop, on one port.
 *
 * @param bound gets the sockets, even if a later one fails
 * @returns the address with the port that the system chose
 */
function bindAll(
  loops: readonly Loop[],
  plan: DatagramPlan,
  target: BindTarget,
  max: number,
  bound: BoundSocket[],
): TcpAddress {
  for (let attempt = 1; ; attempt++) {
    try {
      return bindOnce(loops, plan, target, max, bound)
    } catch (error) {
      const isTaken = (error as MillraceError).code === 'EADDRINUSE'
      if (!isTaken || target.address.port !== 0 || attempt === PORT_ATTEMPTS) throw error
      dropAll(bound.splice(0))
    }
  }
}

/** Tries to bind all kernel sockets on one port, as {@link bindAll} does. */
function bindOnce(
  loops: readonly Loop[],
  plan: DatagramPlan,
  { address: requested, peer }: BindTarget,
  max: number,
  bound: BoundSocket[],
): TcpAddress {
  const { handle } = theEnvironment()
  const { settings, isSpread } = plan
  let address = withIPv6Only(requested, settings.ipv6Only)
  if (isSpread && (settings.reusePort === undefined || address.port === 0)) {
    // Other processes of this user may share a port that is bound with `reusePort`. The user wants that only
    // with the option `reusePort` and a port. Otherwise a probe makes sure that the port is free.
    const probe = bindOne({ address }, settings, false, max, false)
    dropDatagrams(handle, probe.number)
    address = probe.address
  }
  for (const loop of loops) {
    const target = peer === undefined ? { address } : { address, peer }
    const socket = bindOne(target, settings, isSpread, max, bound.length === 0)
    bound.push({ loop, origin: socket.origin, number: socket.number })
    address = socket.address
  }
  return address
}

/**
 * Binds one kernel socket.
 *
 * @param joins whether it joins the multicast groups
 * @throws the system's error
 */
function bindOne(
  { address: requested, peer }: BindTarget,
  settings: DatagramSettings,
  reusePort: boolean,
  max: number,
  joins: boolean,
): { origin: number; number: number; address: TcpAddress } {
  const environment = theEnvironment()
  const origin = environment.originNumber()
  const attempt = (local: TcpAddress) =>
    bindDatagrams(environment.handle, {
      id: origin,
      host: local.host,
      port: local.port,
      scope: local.scope,
      dualStack: local.dualStack,
      ...(peer === undefined ? {} : { peerHost: peer.host }),
      peerPort: peer?.port ?? 0,
      peerScope: peer?.scope ?? 0,
      reusePort,
      reuseAddress: settings.reuseAddress,
      receiveOffload: settings.receiveOffload,
      ...(settings.device === undefined ? {} : { device: settings.device }),
      // Only one socket joins, because every socket that has joined gets a copy of each datagram.
      settings: socketSettings(settings, isIPv6(local.host) ? 6 : 4, joins),
      max,
      highWaterMark: settings.highWaterMark,
    })
  let address = requested
  let result = attempt(address)
  if (
    address.fallback !== undefined &&
    ['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(errorName(result.errno))
  ) {
    address = { ...address, host: address.fallback, dualStack: false }
    result = attempt(address)
  }
  const { host, port } = address
  if (result.errno !== 0) {
    if (peer !== undefined) throw systemError(result.errno, 'connect')
    throw systemError(result.errno, 'bind', { address: host, port })
  }
  return { origin, number: result.number, address: { ...address, port: result.port } }
}

/** Applies the option `ipv6Only` to an address. */
function withIPv6Only(address: TcpAddress, ipv6Only: boolean | undefined): TcpAddress {
  if (ipv6Only === undefined) return address
  if (!isIPv6(address.host))
    throw invalidOption('ipv6Only', 'left out for an IPv4 address', ipv6Only)
  const { fallback: _, ...rest } = address
  return { ...rest, dualStack: !ipv6Only }
}

/** Returns the socket options to set before anything is received. */
function socketSettings(
  { settings, multicast }: DatagramSettings,
  family: 4 | 6,
  joins: boolean,
): SettingInit[] {
  const all = [...settings]
  if (multicast.interface !== undefined) all.push(outgoingInterface(multicast.interface, family))
  return joins ? [...all, ...memberships(multicast)] : all
}

function memberships({ groups = [] }: MulticastOptions): SettingInit[] {
  return groups.map((group) => {
    const isObject = typeof group === 'object' && group !== null
    const { address, ...options } = isObject ? group : { address: group }
    return membershipSetting('join', address, options)
  })
}
