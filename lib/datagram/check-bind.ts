/** Checks the options of `bind`, and of `connect` for datagram sockets, and fills in what they leave out. */

import { type Codec, checkCodec } from '../codec/codec.js'
import { DEFAULT_MAX } from '../codec/framing.js'
import { defaultCodec } from '../codec/framings.js'
import { invalidOption, MillraceError } from '../errors.js'
import { balancesPorts, type SettingInit } from '../native/binding.js'
import { checkDevice } from '../socket/bind-to-device.js'
import { checkSignal } from '../util/abort-signal.js'
import { checkNames, flag, whole } from '../util/checks.js'
import { MAX_PARKED_ITEMS, type ParkedLimit } from '../util/parked-limit.js'
import type { BindOptions } from './bind-options.js'
import { HANDLERS } from './datagram-handlers.js'
import { flagSetting, liveSettings, numberSetting } from './datagram-live-options.js'
import { MAX_DATAGRAM } from './datagram-size.js'
import type { MulticastOptions } from './multicast-options.js'

/** The options of a datagram socket, complete and checked. */
export interface DatagramSettings {
  readonly codec: Codec<unknown, unknown>
  /** The size of the largest datagram in bytes. 0: as large as a ring allows. */
  readonly max: number
  readonly highWaterMark: number
  readonly maxWriteBuffer: number
  readonly maxParked: ParkedLimit
  /** Undefined: the number of loops decides. */
  readonly reusePort: boolean | undefined
  readonly reuseAddress: boolean
  readonly receiveOffload: boolean
  readonly ipv6Only: boolean | undefined
  /** The name of the network interface to use. */
  readonly device: string | undefined
  /** The socket options that are set before anything is received. */
  readonly settings: readonly SettingInit[]
  readonly multicast: MulticastOptions
}

/** The names that `bind` and `connect` both take. */
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
/** The names of everything that `bind` takes. */
const BIND_NAMES: ReadonlySet<string> = new Set([
  ...COMMON_NAMES,
  'address',
  'reusePort',
  'reuseAddress',
  'broadcast',
  'multicast',
  'ipv6Only',
])
/** The names of everything that `connect` takes for a datagram socket. */
export const CONNECTED_NAMES: ReadonlySet<string> = new Set([
  ...COMMON_NAMES,
  'to',
  'loop',
  'timeout',
  'timeouts',
  'idle',
  'localAddress',
])
const MULTICAST_NAMES: ReadonlySet<string> = new Set(['groups', 'interface', 'ttl', 'loopback'])

/**
 * Checks and completes the options of a datagram socket.
 *
 * @param names the names that `options` may have
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function checkBind(
  options: BindOptions<never, never>,
  names: ReadonlySet<string> = BIND_NAMES,
): DatagramSettings {
  checkNames(options, names)
  for (const name of HANDLERS) {
    const handler = options[name]
    if (handler !== undefined && typeof handler !== 'function') {
      throw invalidOption(name, 'a function', handler)
    }
  }
  checkSignal(options.signal)
  const multicast = checkMulticast(options.multicast)
  const { reusePort, ipv6Only, bindToDevice } = options
  const maxWriteBuffer = whole('maxWriteBuffer', options.maxWriteBuffer, DEFAULT_MAX, 1)
  return {
    codec: checkCodec(options.codec === undefined ? defaultCodec() : options.codec),
    max: whole('max', options.max, 0, 1, MAX_DATAGRAM),
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
    reusePort: reusePort === undefined ? undefined : checkReusePort(reusePort),
    reuseAddress: flag('reuseAddress', options.reuseAddress, false),
    receiveOffload: flag('receiveOffload', options.receiveOffload, true),
    ipv6Only: ipv6Only === undefined ? undefined : flag('ipv6Only', ipv6Only, false),
    device: bindToDevice === undefined ? undefined : checkDevice(bindToDevice),
    settings: initialSettings(options, multicast),
    multicast,
  }
}

/** Checks the option `multicast`, except for its groups and its interface. */
function checkMulticast(multicast: MulticastOptions = {}): MulticastOptions {
  if (typeof multicast !== 'object' || multicast === null)
    throw invalidOption('multicast', 'an object', multicast)
  checkNames(multicast, MULTICAST_NAMES, ' of multicast')
  if (multicast.groups !== undefined && !Array.isArray(multicast.groups))
    throw invalidOption('multicast.groups', 'an array', multicast.groups)
  return multicast
}

function checkReusePort(value: unknown): boolean {
  const isOn = flag('reusePort', value, false)
  if (isOn) requireReusePort()
  return isOn
}

/**
 * Checks that the kernel spreads datagrams over several sockets of one port.
 *
 * @throws `ERR_UNSUPPORTED`
 */
export function requireReusePort(): void {
  if (!balancesPorts()) {
    throw new MillraceError(
      'ERR_UNSUPPORTED',
      'several sockets on one port need Linux or FreeBSD: use one loop',
    )
  }
}

/** Checks the socket options that are set before anything is received. */
function initialSettings(
  options: BindOptions<never, never>,
  multicast: MulticastOptions,
): SettingInit[] {
  return [
    ...liveSettings(options),
    ...numberSetting('ttl', options.ttl, 1, 255),
    ...flagSetting('broadcast', options.broadcast),
    ...numberSetting('multicastTtl', multicast.ttl, 0, 255, 'multicast.ttl'),
    ...flagSetting('multicastLoopback', multicast.loopback, 'multicast.loopback'),
  ]
}
