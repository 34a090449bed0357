/** Binds the sockets of a datagram socket, and hands them to their loops. */

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
import { DatagramSocketImpl } from './datagram-socket-impl.js'
import { LoopSocket } from './loop-socket.js'
import {
  type AnyHandlers,
  type DatagramSettings,
  largest,
  type MulticastOptions,
  membership,
  outgoingInterface,
} from './options.js'

/** Where to bind a socket. */
export interface Place {
  readonly address: TcpAddress
  /** The one peer of a connected socket. */
  readonly peer?: TcpAddress
}

/** Everything that a socket is made from. */
export interface DatagramPlan {
  /** The group to use, joined. It is left when the socket is closed, or cannot be made. */
  readonly group: Group
  readonly settings: DatagramSettings
  readonly handlers: AnyHandlers
  /** Whether each loop gets a socket. */
  readonly isSpread: boolean
  /** A promise, because a name may have to be looked up. */
  readonly place: Promise<Place>
  /** The loop to use, if one was named. */
  readonly loop?: Loop | undefined
  readonly signal: AbortSignal | undefined
}

/** A socket that is bound, and the loop that will get it. */
interface BoundSocket {
  readonly loop: Loop
  /** Names the socket in records. */
  readonly origin: number
  /** Names the socket in calls of the native half. */
  readonly number: number
}

/** Binds the sockets, and hands them to their loops. */
export async function openDatagramSocket(plan: DatagramPlan): Promise<DatagramSocketImpl> {
  const { group, settings, handlers, isSpread, loop, signal } = plan
  const bound: BoundSocket[] = []
  let socket: DatagramSocketImpl
  try {
    const place = await unlessAborted(signal, plan.place)
    const alive = group.loops.filter((loop) => !loop.isDead)
    if (alive.length === 0)
      throw new MillraceError('ERR_LOOP_PANIC', 'all event loops have panicked')
    const isAlive = loop !== undefined && alive.includes(loop)
    const loops = isSpread ? alive : [isAlive ? loop : leastUsed(alive)]
    const max = largest(settings.max, group.ringBytes)
    const address = bindAll(loops, plan, place, max, bound)
    const { host, dualStack } = address
    socket = new DatagramSocketImpl(settings, handlers, group)
    const loopSockets = bound.map(
      ({ loop, origin, number }, at) => new LoopSocket(socket, at, loop, origin, number),
    )
    const isV6 = isIPv6(host)
    const families = { v4: !isV6 || dualStack, v6: isV6 }
    socket.setUp(loopSockets, families, max, memberships(settings.multicast))
    socket.address = `udp://${format(address)}`
    if (place.peer !== undefined) socket.setPeer(format(place.peer))
  } catch (error) {
    for (const each of bound) dropDatagrams(theEnvironment().handle, each.number)
    group.leaveSoon()
    throw error
  }
  await socket.open(signal)
  if (signal !== undefined) void socket.finished.then(onAbort(signal, () => void socket.close()))
  return socket
}

function format({ host, port, scope }: TcpAddress): string {
  return formatHostPort(scope === 0 ? host : `${host}%${scope}`, port)
}

/** Returns the loop with the fewest connections and sockets. */
function leastUsed(loops: readonly Loop[]): Loop {
  const { handle } = theEnvironment()
  const load = (loop: Loop) => {
    const { opened, closed } = counters(handle, loop.index)
    return opened - closed + loop.sockets.filter((socket) => socket !== undefined).length
  }
  const loads = loops.map(load)
  return loops[loads.indexOf(Math.min(...loads))] as Loop
}

/** How often to try for a port that is free for all loops. */
const PORT_ATTEMPTS = 16

/** Binds a socket for each loop, on one port. Returns where. */
function bindAll(
  loops: readonly Loop[],
  plan: DatagramPlan,
  place: Place,
  max: number,
  bound: BoundSocket[],
): TcpAddress {
  for (let attempt = 1; ; attempt++) {
    try {
      return bindOnce(loops, plan, place, max, bound)
    } catch (error) {
      const isTaken = (error as MillraceError).code === 'EADDRINUSE'
      if (!isTaken || place.address.port !== 0 || attempt === PORT_ATTEMPTS) throw error
      for (const each of bound.splice(0)) dropDatagrams(theEnvironment().handle, each.number)
    }
  }
}

function bindOnce(
  loops: readonly Loop[],
  plan: DatagramPlan,
  { address: wanted, peer }: Place,
  max: number,
  bound: BoundSocket[],
): TcpAddress {
  const { handle } = theEnvironment()
  const { settings, isSpread } = plan
  let address = withIPv6Only(wanted, settings.ipv6Only)
  if (isSpread && (settings.reusePort === undefined || address.port === 0)) {
    // Other processes of this user may share a port that is bound with `reusePort`. That is wanted only if
    // `reusePort` and a port were asked for. Otherwise a probe makes sure that the port is free.
    const probe = bindOne({ address }, settings, false, max, false)
    dropDatagrams(handle, probe.number)
    address = probe.address
  }
  for (const loop of loops) {
    const place = peer === undefined ? { address } : { address, peer }
    const one = bindOne(place, settings, isSpread, max, bound.length === 0)
    bound.push({ loop, origin: one.origin, number: one.number })
    address = one.address
  }
  return address
}

/** Binds one socket. */
function bindOne(
  { address: requested, peer }: Place,
  settings: DatagramSettings,
  reusePort: boolean,
  max: number,
  joins: boolean,
): { origin: number; number: number; address: TcpAddress } {
  const environment = theEnvironment()
  const origin = environment.originNumber()
  const attempt = (at: TcpAddress) =>
    bindDatagrams(environment.handle, {
      id: origin,
      host: at.host,
      port: at.port,
      scope: at.scope,
      dualStack: at.dualStack,
      ...(peer === undefined ? {} : { peerHost: peer.host }),
      peerPort: peer?.port ?? 0,
      peerScope: peer?.scope ?? 0,
      reusePort,
      reuseAddress: settings.reuseAddress,
      receiveOffload: settings.receiveOffload,
      ...(settings.device === undefined ? {} : { device: settings.device }),
      // Only one socket joins groups, because each one that has joined gets a copy.
      settings: systemSettings(settings, isIPv6(at.host) ? 6 : 4, joins),
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
    const place = peer === undefined ? { address: host, port } : {}
    throw systemError(result.errno, peer === undefined ? 'bind' : 'connect', place)
  }
  return { origin, number: result.number, address: { ...address, port: result.port } }
}

function withIPv6Only(address: TcpAddress, ipv6Only: boolean | undefined): TcpAddress {
  if (ipv6Only === undefined) return address
  if (!isIPv6(address.host))
    throw invalidOption('ipv6Only', 'left out on an IPv4 address', ipv6Only)
  const { fallback: _, ...rest } = address
  return { ...rest, dualStack: !ipv6Only }
}

/** Returns the options that are set before anything is received. */
function systemSettings(
  { settings, multicast }: DatagramSettings,
  family: 4 | 6,
  isFirst: boolean,
): SettingInit[] {
  const all = [...settings]
  if (multicast.interface !== undefined) all.push(outgoingInterface(multicast.interface, family))
  return isFirst ? [...all, ...memberships(multicast)] : all
}

function memberships({ groups = [] }: MulticastOptions): SettingInit[] {
  return groups.map((group) => {
    const { address, ...options } = typeof group === 'string' ? { address: group } : group
    return membership('join', address, options)
  })
}
