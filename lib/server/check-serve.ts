/** Checks the options of `serve` and the entries of `listen`, and fills in what they leave out. */

import { isFields } from '../address/format.js'
import { type ParsedAddress, parseAddress } from '../address/parse-address.js'
import { type ConnSettings, checkConn } from '../connection/check-conn.js'
import { type AnyHandlers, checkHandlers, HANDLERS } from '../connection/conn-handlers.js'
import { CONN_NAMES } from '../connection/conn-options.js'
import { invalidOption, MillraceError } from '../errors.js'
import { balancesPorts, type ProxyInit } from '../native/binding.js'
import { checkDevice } from '../socket/bind-to-device.js'
import { listenerPairs } from '../socket/option-pairs.js'
import { LISTENER_NAMES, SOCKET_NAMES } from '../socket/socket-options.js'
import { checkSignal } from '../util/abort-signal.js'
import { checkNames, flag, oneOf, whole } from '../util/checks.js'
import { addressOf, ListenerSpecImpl } from './listen-entry.js'
import { checkProxyProtocol } from './proxy-protocol.js'
import type { Balance, ServeOptions } from './serve-options.js'

/** One entry of `listen` with the options that it has from its server, complete and checked. */
export interface ListenSettings extends ConnSettings {
  readonly address: ParsedAddress
  readonly handlers: AnyHandlers
  /** Whether `listener` made the entry, so that its messages may be of other types than the server's. */
  readonly hasOwnTypes: boolean
  readonly backlog: number
  /** The permissions of a Unix socket's path. Undefined: the system's default. */
  readonly mode: number | undefined
  readonly reusePort: boolean
  readonly ipv6Only: boolean | undefined
  /** The name of the network interface to accept from. Undefined: all interfaces. */
  readonly device: string | undefined
  /** Whose connections begin with a PROXY header. Undefined: nobody's. */
  readonly proxy: ProxyInit | undefined
  /** The names of the socket options that the entry itself sets. They have to suit its kind of socket. */
  readonly ownSocketOptions: ReadonlySet<string>
}

/** The options of `serve`, complete and checked. */
export interface ServeSettings {
  readonly listen: readonly ListenSettings[]
  /** Checks one more entry of `listen`. */
  readonly checkEntry: (entry: unknown) => ListenSettings
  readonly balance: Balance
  /** 0 for no limit. */
  readonly maxConnections: number
  /** Whether connections over `maxConnections` are closed. */
  readonly refuse: boolean
}

/** The options that every entry of `listen` inherits from its server unless the entry sets them. */
const INHERITED_NAMES: readonly string[] = [
  ...LISTENER_NAMES,
  'proxyProtocol',
  ...CONN_NAMES.filter((name) => name !== 'codec'),
]

/** The names of everything that an entry of `listen` may have. */
const ENTRY_NAMES: ReadonlySet<string> = new Set([
  ...HANDLERS,
  ...INHERITED_NAMES,
  'codec',
  'address',
  'host',
  'port',
  'path',
])

/** The names of everything that `serve` takes. */
const SERVE_NAMES: ReadonlySet<string> = new Set([
  ...HANDLERS,
  ...CONN_NAMES,
  ...LISTENER_NAMES,
  'proxyProtocol',
  'listen',
  'loops',
  'balance',
  'maxConnections',
  'onFull',
  'ringBytes',
  'signal',
])

/** The options that only some kinds of socket have. */
const SOCKET_OPTION_NAMES: ReadonlySet<string> = new Set([...SOCKET_NAMES, ...LISTENER_NAMES])

const NO_NAMES: ReadonlySet<string> = new Set()

/** The options of a server, whatever its messages are. */
type AnyOptions = ServeOptions<never, never, never>

/** The settings of an entry without its address. */
type SharedSettings = Omit<ListenSettings, 'address'>

/**
 * Checks and completes the options of `serve`.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`; `ERR_INVALID_ADDRESS` if an entry of `listen` is not an
 *   address
 */
export function checkServe(options: AnyOptions): ServeSettings {
  checkNames(options, SERVE_NAMES)
  const { listen } = options as { listen: unknown }
  const isObject = typeof listen === 'object' && listen !== null && !Array.isArray(listen)
  const isOne = typeof listen === 'string' || typeof listen === 'number' || isObject
  if (!isOne && (!Array.isArray(listen) || listen.length === 0)) {
    throw invalidOption('listen', 'an address, or an array of at least one address', listen)
  }
  checkSignal(options.signal)
  // The server's own options are checked even if every listener overrides them.
  const server = checkShared(options, false, NO_NAMES)
  const check = (entry: unknown) => checkEntry(entry, options, server)
  return {
    // Unlike `map`, `Array.from` does not skip holes, which are not addresses.
    listen: Array.from(isOne ? [listen] : (listen as unknown[]), check),
    checkEntry: check,
    balance: oneOf('balance', options.balance, ['round-robin', 'source-hash', 'least-connections']),
    maxConnections: whole('maxConnections', options.maxConnections, 0, 1),
    refuse: oneOf('onFull', options.onFull, ['wait', 'refuse']) === 'refuse',
  }
}

/**
 * Checks one entry of `listen`: an address, an address with options, or what `listener` returned.
 *
 * @param options the options of the server, which the entry inherits
 * @param server the same options, checked
 */
function checkEntry(entry: unknown, options: AnyOptions, server: SharedSettings): ListenSettings {
  const hasOwnTypes = entry instanceof ListenerSpecImpl
  const fields: unknown = hasOwnTypes ? entry.entry : entry
  if (!isFields(fields)) return { ...server, address: parseAddress(fields, 'listen') }
  const address = parseAddress(addressOf(fields), 'listen')
  checkNames(fields, ENTRY_NAMES, ' of a listener')
  const own = Object.entries(fields).filter(([, value]) => value !== undefined)
  const inheritedNames: readonly string[] = hasOwnTypes
    ? INHERITED_NAMES
    : [...INHERITED_NAMES, ...HANDLERS, 'codec']
  const inherited = inheritedNames.map((name) => [
    name,
    (options as unknown as Record<string, unknown>)[name],
  ])
  const merged = Object.fromEntries([...inherited, ...own]) as unknown as AnyOptions
  const { error } = options as AnyHandlers
  if (hasOwnTypes && fields.error === undefined && error !== undefined) {
    // The server's handler gets no connection, because it expects connections of the server's types.
    Object.assign(merged, { error: (thrown: Error) => error(thrown) })
  }
  const ownNames = own.map(([name]) => name)
  const ownSocketOptions = new Set(ownNames.filter((name) => SOCKET_OPTION_NAMES.has(name)))
  return { ...checkShared(merged, hasOwnTypes, ownSocketOptions), address }
}

function checkShared(
  options: AnyOptions,
  hasOwnTypes: boolean,
  ownSocketOptions: ReadonlySet<string>,
): SharedSettings {
  checkHandlers(options)
  const settings = checkConn(options, true)
  const { mode, ipv6Only, bindToDevice } = options
  const reusePort = flag('reusePort', options.reusePort, false)
  if (reusePort && !balancesPorts()) {
    const why = 'does not spread connections over several sockets of one port: leave out reusePort'
    throw new MillraceError('ERR_UNSUPPORTED', `${process.platform} ${why}`)
  }
  return {
    ...settings,
    socket: [...settings.socket, ...listenerPairs(options)],
    handlers: options as unknown as AnyHandlers,
    hasOwnTypes,
    backlog: whole('backlog', options.backlog, 4096, 1),
    mode: mode === undefined ? undefined : whole('mode', mode, 0, 0, 0o777),
    reusePort,
    ipv6Only: ipv6Only === undefined ? undefined : flag('ipv6Only', ipv6Only, false),
    device: bindToDevice === undefined ? undefined : checkDevice(bindToDevice),
    proxy: checkProxyProtocol(options.proxyProtocol),
    ownSocketOptions,
  }
}
