/** What `bind` takes, checked in one place. */

import { isIP, isIPv4, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Address } from '../address/address.js'
import { indexOfInterface } from '../address/interfaces.js'
import { type Codec, checkCodec } from '../codec/codec.js'
import { DEFAULT_MAX } from '../codec/framing.js'
import { MAX_PARKED_ITEMS } from '../connection/conn-options.js'
import { invalidOption, MillraceError } from '../errors.js'
import {
  balancesPorts,
  hasSocketOption,
  hasSourcesV6,
  type SettingInit,
} from '../native/binding.js'
import { DATAGRAM_BYTES, HEADER, OPTION_DSCP } from '../native/record.js'
import type { Server } from '../server/server.js'
import { checkDevice } from '../socket/bind-to-device.js'
import type { SocketOptions } from '../socket/socket-options.js'
import { checkSignal } from '../util/abort-signal.js'
import { checkNames, flag, INT, whole } from '../util/checks.js'
import type { QueueLimit } from '../util/pending-queue.js'
import type { DatagramHandlers, DatagramSocket, MembershipOptions } from './datagram-socket.js'

/** Multicast, from the start. */
export interface MulticastOptions {
  /** Groups to join. */
  groups?: readonly (string | ({ address: string } & MembershipOptions))[]
  /** The interface that multicasts are sent from: its name, its IPv4 address, or its index for IPv6. */
  interface?: string | number
  /** How many routers multicasts may pass, 0 to 255. */
  ttl?: number
  /** Whether this machine receives the multicasts it sends. */
  loopback?: boolean
}

/** What `bind` takes: handlers, and the options here. */
export interface BindOptions<In, Out> extends DatagramHandlers<In, Out> {
  /**
   * Where to bind: a UDP port on all addresses of this machine (`9000`), a host and a port
   * (`{ host: '127.0.0.1', port: 9000 }`), or a URL (`udp://127.0.0.1:9000`); see {@link Address}. A
   * name means its first address. Port 0 lets the system choose; `socket.port` shows the port.
   */
  address: Address
  /**
   * How datagrams become messages and back. Framings have no part in it: `decode` gets exactly one
   * datagram, all of which has to be read (`undefined` then swallows it), and what `encode` writes is
   * one. Default `raw()`: messages are bytes.
   */
  codec?: Codec<In, Out>
  /**
   * A number: that many event loops of its own, each with a thread, 1 to 128; with two or more each has
   * a socket of its own on the same port (Linux, FreeBSD). `'inline'`: one loop on Node's own. A
   * server: its loops. Default: the loops that all of this JavaScript environment shares, one of which
   * gets the socket.
   */
  loops?: number | 'inline' | Server
  /**
   * A socket for each of the loops, on one port, among which the kernel spreads the peers; other
   * processes of this user may share the port too. Linux and FreeBSD. Default: with `loops` of 2 or
   * more.
   */
  reusePort?: boolean
  /**
   * Let others bind the same address, and receive its multicasts too. A datagram for one receiver then
   * goes to any of them. Default false.
   */
  reuseAddress?: boolean
  /** The largest datagram, either way; of a longer one that comes in the rest is lost. Default 65,527, or what a quarter of a ring has room for. */
  max?: number
  /** Bytes waiting to be sent over which `send` says `false`, and 64 for each datagram. Default 256 KiB; `drain` comes at half. */
  highWaterMark?: number
  /** Bytes waiting to be sent, and 64 for each datagram, over which more are dropped. Default 1 MiB. */
  maxWriteBuffer?: number
  /** Bytes received that wait while nobody pulls, or while it is paused. Default 1 MiB (or 1,024 datagrams). */
  maxParked?: number
  /** Allow sending to broadcast addresses. Default false. */
  broadcast?: boolean
  multicast?: MulticastOptions
  /** How many routers datagrams may pass, 1 to 255. */
  ttl?: number
  /** Bytes that the kernel may hold that are not received yet; it may round, and caps it. */
  receiveBuffer?: number
  /** Bytes that the kernel may hold that are not sent yet. */
  sendBuffer?: number
  /**
   * Let the kernel hand over several datagrams of one sender at a time, where they come so: it takes
   * less work, and those that are dropped together count once in `stats().dropped`. Each is a message
   * of its own all the same. Linux; elsewhere it changes nothing. Default true.
   */
  receiveOffload?: boolean
  /** The class of the packets (differentiated services), 0 to 63. Not on Windows. */
  dscp?: number
  /** Take only what comes in by this interface, such as `eth0`, and send by it. Linux. */
  bindToDevice?: string
  /** On an IPv6 address, do not take IPv4 too. Default true, but false where the address has no host. */
  ipv6Only?: boolean
  /** Bytes of each of a loop's two rings, a power of two from 4 KiB to 1 GiB. Only with loops of its own. Default 1 MiB. */
  ringBytes?: number
  /** Closes the socket, as `close()` does. */
  signal?: AbortSignal
}

/** The options of `bind` as numbers, complete and checked. */
export interface DatagramSettings {
  readonly codec: Codec<unknown, unknown>
  /** 0 for what there is room for. */
  readonly max: number
  readonly highWaterMark: number
  readonly maxWriteBuffer: number
  readonly maxParked: QueueLimit
  readonly reusePort: boolean | undefined
  readonly reuseAddress: boolean
  readonly receiveOffload: boolean
  readonly ipv6Only: boolean | undefined
  readonly device: string | undefined
  /** The system's, for every socket. */
  readonly settings: readonly SettingInit[]
  readonly multicast: MulticastOptions
}

/** The longest datagram that there is: IPv6 without jumbograms. */
const LONGEST = 65_527
/** The same for IPv4. */
export const LONGEST_IPV4 = 65_507

const HANDLERS = ['message', 'drain', 'close', 'error'] as const

/** Names that every datagram socket knows. */
const COMMON_NAMES = [
  ...HANDLERS,
  'codec',
  'loops',
  'max',
  'highWaterMark',
  'maxWriteBuffer',
  'maxParked',
  'ttl',
  'receiveBuffer',
  'sendBuffer',
  'receiveOffload',
  'dscp',
  'bindToDevice',
  'ringBytes',
  'signal',
] as const
/** Every name that `bind` knows. */
const NAMES: ReadonlySet<string> = new Set([
  ...COMMON_NAMES,
  'address',
  'reusePort',
  'reuseAddress',
  'broadcast',
  'multicast',
  'ipv6Only',
])
/** Every name that `connect` knows for a datagram socket. */
export const CONNECTED_NAMES: ReadonlySet<string> = new Set([
  ...COMMON_NAMES,
  'to',
  'loop',
  'timeout',
  'localAddress',
])
const MULTICAST_NAMES: ReadonlySet<string> = new Set(['groups', 'interface', 'ttl', 'loopback'])

/**
 * Checks and completes.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function checkBind(
  options: BindOptions<never, never>,
  fallback: Codec<unknown, unknown>,
  names: ReadonlySet<string> = NAMES,
): DatagramSettings {
  checkNames(options, names)
  for (const name of HANDLERS) {
    const handler = options[name]
    if (handler !== undefined && typeof handler !== 'function') {
      throw invalidOption(name, 'a function', handler)
    }
  }
  checkSignal(options.signal)
  const { multicast = {} } = options
  if (typeof multicast !== 'object' || multicast === null)
    throw invalidOption('multicast', 'an object', multicast)
  checkNames(multicast, MULTICAST_NAMES, ' of multicast')
  if (multicast.groups !== undefined && !Array.isArray(multicast.groups))
    throw invalidOption('multicast.groups', 'an array', multicast.groups)
  const maxWriteBuffer = whole('maxWriteBuffer', options.maxWriteBuffer, DEFAULT_MAX, 1)
  return {
    codec: checkCodec(options.codec === undefined ? fallback : options.codec),
    max: whole('max', options.max, 0, 1, LONGEST),
    maxWriteBuffer,
    highWaterMark: whole(
      'highWaterMark',
      options.highWaterMark,
      Math.min(DEFAULT_MAX / 4, maxWriteBuffer),
      1,
      maxWriteBuffer,
    ),
    maxParked: {
      bytes: whole('maxParked', options.maxParked, DEFAULT_MAX, 1),
      items: MAX_PARKED_ITEMS,
    },
    reusePort: options.reusePort === undefined ? undefined : checkReusePort(options.reusePort),
    reuseAddress: flag('reuseAddress', options.reuseAddress, false),
    receiveOffload: flag('receiveOffload', options.receiveOffload, true),
    ipv6Only:
      options.ipv6Only === undefined ? undefined : flag('ipv6Only', options.ipv6Only, false),
    device: options.bindToDevice === undefined ? undefined : checkDevice(options.bindToDevice),
    settings: systemSettings(options),
    multicast,
  }
}

function checkReusePort(value: unknown): boolean {
  const isOn = flag('reusePort', value, false)
  if (isOn) needReusePort()
  return isOn
}

/** @throws `ERR_UNSUPPORTED` where the kernel does not spread what comes in on a shared port */
export function needReusePort(): void {
  if (!balancesPorts()) {
    throw new MillraceError(
      'ERR_UNSUPPORTED',
      'several sockets on one port need Linux or FreeBSD: use one loop',
    )
  }
}

/** Options of a datagram socket that can be changed, and read, while it is open. */
export type DatagramSocketOptions = Pick<SocketOptions, 'receiveBuffer' | 'sendBuffer' | 'dscp'>

const LIVE_NAMES: ReadonlySet<string> = new Set(['receiveBuffer', 'sendBuffer', 'dscp'])

/**
 * Checks options that are to be changed.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function changes(options: DatagramSocketOptions): SettingInit[] {
  checkNames(options, LIVE_NAMES)
  return liveSettings(options)
}

function number(name: string, value: unknown, least: number, most: number): number | undefined {
  return value === undefined ? undefined : whole(name, value, 0, least, most)
}

function liveSettings(options: DatagramSocketOptions): SettingInit[] {
  const settings: SettingInit[] = []
  const add = (name: string, value: number | undefined) => {
    if (value !== undefined) settings.push({ name, value })
  }
  add('receiveBuffer', number('receiveBuffer', options.receiveBuffer, 1, INT))
  add('sendBuffer', number('sendBuffer', options.sendBuffer, 1, INT))
  add('dscp', number('dscp', options.dscp, 0, 63))
  if (options.dscp !== undefined && !hasSocketOption(OPTION_DSCP)) {
    throw new MillraceError('ERR_UNSUPPORTED', `${process.platform} does not have dscp`)
  }
  return settings
}

/** What is set before anything is received. */
function systemSettings(options: BindOptions<never, never>): SettingInit[] {
  const settings = liveSettings(options)
  const add = (name: string, value: number | undefined) => {
    if (value !== undefined) settings.push({ name, value })
  }
  const onOff = (name: string, value: unknown) =>
    value === undefined ? undefined : Number(flag(name, value, false))
  add('ttl', number('ttl', options.ttl, 1, 255))
  add('broadcast', onOff('broadcast', options.broadcast))
  const { multicast = {} } = options
  add('multicastTtl', number('multicast.ttl', multicast.ttl, 0, 255))
  add('multicastLoopback', onOff('multicast.loopback', multicast.loopback))
  return settings
}

/**
 * The largest datagram of a socket on such rings.
 *
 * @throws `ERR_INVALID_OPTION` if one of `max` bytes would not fit
 */
export function largest(max: number, ringBytes: number): number {
  const room = ringBytes / 4 - HEADER - DATAGRAM_BYTES
  if (max > room) {
    throw invalidOption('max', `at most ${room} with rings of ${ringBytes} bytes`, max)
  }
  return max === 0 ? Math.min(LONGEST, room) : max
}

function invalidGroup(group: unknown): MillraceError {
  return new MillraceError(
    'ERR_INVALID_ADDRESS',
    `${JSON.stringify(group)} is not the address of a multicast group: 239.1.2.3, ff02::114`,
  )
}

/**
 * A group to join or leave, as the native half takes it.
 *
 * @throws `ERR_INVALID_ADDRESS`, `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function membership(
  name: 'join' | 'leave',
  group: unknown,
  options: MembershipOptions = {},
): SettingInit {
  const family = typeof group === 'string' ? isIP(group) : 0
  const address = group as string
  if (family === 4) {
    const first = Number(address.split('.')[0])
    if (first < 224 || first > 239) throw invalidGroup(group)
    const own = interfaceOfIPv4(options.interface)
    if (options.source === undefined) return { name, value: 0, group: address, interface: own }
    if (!isIPv4(options.source)) throw invalidOption('source', 'an IPv4 address', options.source)
    return { name, value: 0, group: address, interface: own, source: options.source }
  }
  const [ip = '', zone] = family === 6 ? address.split('%') : []
  if (!/^ff/i.test(ip)) throw invalidGroup(group)
  const setting = { name, value: interfaceOfIPv6(options.interface ?? zone), group: ip }
  return options.source === undefined ? setting : ofSource(setting, options.source)
}

/** The same for one source only, which may have the zone that `info.address` shows. */
function ofSource(setting: SettingInit, source: unknown): SettingInit {
  if (typeof source !== 'string' || !isIPv6(source) || /^ff/i.test(source))
    throw invalidOption('source', 'the IPv6 address of a host', source)
  if (!hasSourcesV6()) {
    throw new MillraceError(
      'ERR_UNSUPPORTED',
      `${process.platform} takes no IPv6 multicasts of one source: look at info.address`,
    )
  }
  const [host = '', zone] = source.split('%')
  const value = setting.value === 0 ? interfaceOfIPv6(zone) : setting.value
  if (zone !== undefined && interfaceOfIPv6(zone) !== value)
    throw invalidOption('source', 'an address on the interface of the group', source)
  return { ...setting, value, source: host }
}

/** The interface of outgoing multicasts, as the native half takes it. */
export function outgoingInterface(value: unknown, family: 4 | 6): SettingInit {
  const name = 'multicastInterface'
  if (family === 6) return { name, value: interfaceOfIPv6(value) }
  return { name, value: 0, interface: interfaceOfIPv4(value) }
}

function interfaceOfIPv4(value: unknown): string {
  if (value === undefined) return '0.0.0.0'
  if (typeof value === 'string') {
    if (isIPv4(value)) return value
    const found = networkInterfaces()[value]?.find((each) => each.family === 'IPv4')
    if (found !== undefined) return found.address
  }
  throw invalidOption('interface', 'the name or the IPv4 address of an interface', value)
}

function interfaceOfIPv6(value: unknown): number {
  if (value === undefined) return 0
  if (typeof value === 'number') return whole('interface', value, 0, 0)
  if (typeof value === 'string') {
    const index = /^\d{1,9}$/.test(value) ? Number(value) : indexOfInterface(value)
    if (index > 0) return index
  }
  throw invalidOption('interface', 'the name or the index of an interface', value)
}

/** A handle's handlers, whatever its messages are. */
export type AnyHandlers = DatagramHandlers<unknown, unknown>
/** A socket whatever its messages are. */
export type AnySocket = DatagramSocket<unknown, unknown>
