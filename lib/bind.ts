/** Binds datagram sockets. */

import { isIPv6 } from 'node:net'
import { formatHostPort } from './address/format.js'
import { parseAddress } from './address/parse-address.js'
import { resolveDatagram } from './address/resolve.js'
import type { TcpAddress } from './address/socket-address.js'
import { raw } from './codec/framing.js'
import { systemError } from './connection/close-error.js'
import type { DatagramSocket } from './datagram/datagram-socket.js'
import { DatagramSocketImpl } from './datagram/datagram-socket-impl.js'
import { LoopSocket } from './datagram/loop-socket.js'
import {
  type AnyHandlers,
  type BindOptions,
  checkBind,
  type DatagramSettings,
  largest,
  type MulticastOptions,
  membership,
  needReusePort,
  outgoingInterface,
} from './datagram/options.js'
import { invalidOption, MillraceError } from './errors.js'
import {
  bindDatagrams,
  counters,
  dropDatagrams,
  errorName,
  type SettingInit,
} from './native/binding.js'
import { theEnvironment } from './runtime/environment.js'
import { type Group, groupFor } from './runtime/group.js'
import type { Loop } from './runtime/loop.js'
import { ServerImpl } from './server/server.js'
import { onAbort, unlessAborted } from './util/abort-signal.js'

/**
 * Binds a datagram socket, and calls the handlers for what comes in.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED`, `ERR_INLINE_UNSUPPORTED`, or
 *   the system's error, such as `EADDRINUSE`: then nothing is bound
 */
export async function bind<In = Buffer, Out = Uint8Array | string>(
  options: BindOptions<In, Out>,
): Promise<DatagramSocket<In, Out>> {
  const settings = checkBind(options as unknown as BindOptions<never, never>, raw())
  const { signal } = options
  signal?.throwIfAborted()
  const wanted = parseAddress(options.address, 'bind')
  const isSpread = settings.reusePort ?? (typeof options.loops === 'number' && options.loops > 1)
  if (isSpread) needReusePort()
  // Joined before anything is waited for: loops that nobody else uses any more would be gone.
  const group = groupFor(options.loops, options.ringBytes, (owner) =>
    owner instanceof ServerImpl ? owner.group : undefined,
  )
  const handlers = options as unknown as AnyHandlers
  const place = resolveDatagram(wanted).then((address) => ({ address }))
  const socket = await start({ group, settings, handlers, isSpread, place, signal })
  return socket as unknown as DatagramSocket<In, Out>
}

/** Where a socket is to be. */
export interface Place {
  readonly address: TcpAddress
  /** The one peer of a connected socket. */
  readonly peer?: TcpAddress
}

/** What a socket is to be. */
export interface DatagramPlan {
  /** Joined; left when the socket is closed, or there is none. */
  readonly group: Group
  readonly settings: DatagramSettings
  readonly handlers: AnyHandlers
  /** A socket for each loop. */
  readonly isSpread: boolean
  /** May have to be looked up. */
  readonly place: Promise<Place>
  /** The loop that is to have it, if one was named. */
  readonly loop?: Loop | undefined
  readonly signal: AbortSignal | undefined
}

/** A socket that is bound, and the loop that is to have it. */
interface Bound {
  readonly loop: Loop
  readonly source: number
  readonly number: number
}

/** Binds, and gives what is bound to its loops. */
export async function start(plan: DatagramPlan): Promise<DatagramSocketImpl> {
  const { group, settings, handlers, isSpread, loop, signal } = plan
  const bound: Bound[] = []
  let socket: DatagramSocketImpl
  try {
    const place = await unlessAborted(signal, plan.place)
    const alive = group.loops.filter((loop) => !loop.isDead)
    if (alive.length === 0)
      throw new MillraceError('ERR_LOOP_PANIC', 'the event loops to bind on were lost')
    const isThere = loop !== undefined && alive.includes(loop)
    const loops = isSpread ? alive : [isThere ? loop : leastUsed(alive)]
    const max = largest(settings.max, group.ringBytes)
    const address = bindAll(loops, plan, place, max, bound)
    const { host, dualStack } = address
    socket = new DatagramSocketImpl(settings, handlers, group)
    const lanes = bound.map(
      ({ loop, source, number }, at) => new LoopSocket(socket, at, loop, source, number),
    )
    const isV6 = isIPv6(host)
    const families = { v4: !isV6 || dualStack, v6: isV6 }
    socket.starts(lanes, families, max, memberships(settings.multicast))
    socket.address = `udp://${show(address)}`
    if (place.peer !== undefined) socket.connects(show(place.peer))
  } catch (error) {
    for (const each of bound) dropDatagrams(theEnvironment().handle, each.number)
    group.leaveSoon()
    throw error
  }
  await socket.opens(signal)
  if (signal !== undefined) void socket.over.then(onAbort(signal, () => void socket.close()))
  return socket
}

function show({ host, port, scope }: TcpAddress): string {
  return formatHostPort(scope === 0 ? host : `${host}%${scope}`, port)
}

/** The loop with the fewest connections and sockets. */
function leastUsed(loops: readonly Loop[]): Loop {
  const { handle } = theEnvironment()
  const load = (loop: Loop) => {
    const { opened, closed } = counters(handle, loop.index)
    return opened - closed + loop.sockets.filter((lane) => lane !== undefined).length
  }
  const loads = loops.map(load)
  return loops[loads.indexOf(Math.min(...loads))] as Loop
}

/** How often a free port is sought that is free still when all loops come to bind it. */
const PORT_ATTEMPTS = 16

/** Binds a socket for each loop, on one port; where that is. */
function bindAll(
  loops: readonly Loop[],
  plan: DatagramPlan,
  place: Place,
  max: number,
  bound: Bound[],
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
  bound: Bound[],
): TcpAddress {
  const { handle } = theEnvironment()
  const { settings, isSpread } = plan
  let address = withIPv6Only(wanted, settings.ipv6Only)
  if (isSpread && (settings.reusePort === undefined || address.port === 0)) {
    // A port that is to be shared is given to anybody of this user who would share it too. That is
    // wanted where `reusePort` was asked for, with a port: else nobody else may be there.
    const probe = bindOne({ address }, settings, false, max, false)
    dropDatagrams(handle, probe.number)
    address = probe.address
  }
  for (const loop of loops) {
    const place = peer === undefined ? { address } : { address, peer }
    const one = bindOne(place, settings, isSpread, max, bound.length === 0)
    bound.push({ loop, source: one.source, number: one.number })
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
): { source: number; number: number; address: TcpAddress } {
  const environment = theEnvironment()
  const source = environment.sourceNumber()
  const attempt = (at: TcpAddress) =>
    bindDatagrams(environment.handle, {
      id: source,
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
      // A group is joined once: each socket that has joined gets a copy.
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
  return { source, number: result.number, address: { ...address, port: result.port } }
}

function withIPv6Only(address: TcpAddress, ipv6Only: boolean | undefined): TcpAddress {
  if (ipv6Only === undefined) return address
  if (!isIPv6(address.host))
    throw invalidOption('ipv6Only', 'left out on an IPv4 address', ipv6Only)
  const { fallback: _, ...rest } = address
  return { ...rest, dualStack: !ipv6Only }
}

/** What the system is told of each socket, before anything is received. */
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
