/** What `serve` takes, checked in one place. */

import { isFields } from '../address/format.js'
import { type ParsedAddress, parseAddress } from '../address/parse-address.js'
import type { Codec } from '../codec/codec.js'
import {
  CONN_NAMES,
  type ConnOptions,
  type ConnSettings,
  checkConn,
  checkHandlers,
} from '../connection/conn-options.js'
import { type AnyHandlers, HANDLERS, type Handlers } from '../connection/handlers.js'
import { invalidOption, MillraceError } from '../errors.js'
import { balancesPorts } from '../native/binding.js'
import { checkDevice } from '../socket/bind-to-device.js'
import { listenerPairs } from '../socket/option-pairs.js'
import { LISTENER_NAMES, type ListenerOptions, SOCKET_NAMES } from '../socket/socket-options.js'
import { checkSignal } from '../util/abort-signal.js'
import { checkNames, flag, oneOf, whole } from '../util/checks.js'
import { type Listen, OwnSpec, placeOf } from './listen-entry.js'
import type { Server } from './server.js'

/** How new connections are spread over loops. */
export type Balance = 'round-robin' | 'source-hash' | 'least-connections'

/** What `serve` takes: handlers, and the options here. */
export interface ServeOptions<In, Out, Context>
  extends Handlers<In, Out, Context>,
    ConnOptions<In, Out>,
    ListenerOptions {
  /**
   * Where to listen, one address or several: a port on all addresses of this machine (`9000`), a host
   * and a port (`{ host: '127.0.0.1', port: 9000 }`), a Unix socket (`{ path: '/run/my.sock' }`), or a URL
   * (`tcp://127.0.0.1:9000`, `unix:///run/my.sock`, `fd://3`, `systemd://web`); see {@link Address}.
   * Options and handlers of one listener stand beside its address (`ListenEntry`, `listener`).
   *
   * Port 0 lets the system choose; `server.port` shows the port. All addresses of a name get the same
   * port. The path of a Unix socket is reused only if no process listens on it any more, and removed when
   * the listener closes.
   */
  listen:
    | Listen<NoInfer<In>, NoInfer<Out>, NoInfer<Context>>
    | readonly Listen<NoInfer<In>, NoInfer<Out>, NoInfer<Context>>[]
  /**
   * A number: that many event loops of its own, each with a thread, 1 to 128. `'inline'`: one loop on
   * Node's own, without a thread. Another server: its loops. Default: the loops that all of this
   * JavaScript environment shares, max(1, min(4, available parallelism − 1)) of them.
   */
  loops?: number | 'inline' | Server
  /** How connections are spread over the loops. Default `'round-robin'`. */
  balance?: Balance
  /** Connections at a time. Default none. When reached, accepting stops, or see `onFull`. */
  maxConnections?: number
  /** What happens to connections over `maxConnections`: they wait in the backlog, or are closed. Default `'wait'`. */
  onFull?: 'wait' | 'refuse'
  /** Bytes of each of a loop's two rings, a power of two from 4 KiB to 1 GiB. Only with loops of its own. Default 1 MiB. */
  ringBytes?: number
  /** Closes the server, as `close()` does. */
  signal?: AbortSignal
}

/** One entry of `listen` with all that holds for it, complete and checked. */
export interface ListenSettings extends ConnSettings {
  readonly address: ParsedAddress
  readonly handlers: AnyHandlers
  /** Its messages are of other types than the server's. */
  readonly hasOwnTypes: boolean
  readonly backlog: number
  /** Of the path of a Unix socket. */
  readonly mode: number | undefined
  readonly reusePort: boolean
  readonly ipv6Only: boolean | undefined
  readonly device: string | undefined
  /** Options that were named for this very listener. */
  readonly named: ReadonlySet<string>
}

/** The options of `serve` as numbers, complete and checked. */
export interface ServeSettings {
  readonly listen: readonly ListenSettings[]
  /** Checks one more entry of `listen`. */
  readonly checkEntry: (entry: unknown) => ListenSettings
  readonly balance: Balance
  readonly maxConnections: number
  readonly refuse: boolean
}

/** What a listener may say for itself, and else has from its server; its codec and handlers, too. */
const INHERITED: readonly string[] = [
  ...LISTENER_NAMES,
  ...CONN_NAMES.filter((name) => name !== 'codec'),
]

/** Every name that a spec knows. */
const SPEC_NAMES: ReadonlySet<string> = new Set([
  ...HANDLERS,
  ...INHERITED,
  'codec',
  'address',
  'host',
  'port',
  'path',
])

/** Every name that `serve` knows. */
const NAMES: ReadonlySet<string> = new Set([
  ...HANDLERS,
  ...CONN_NAMES,
  ...LISTENER_NAMES,
  'listen',
  'loops',
  'balance',
  'maxConnections',
  'onFull',
  'ringBytes',
  'signal',
])

/** A server's options, whatever its messages are. */
type AnyOptions = ServeOptions<never, never, never>

/**
 * Checks and completes.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`, or for an entry that is none `ERR_INVALID_ADDRESS`
 */
export function checkServe(options: AnyOptions, fallback: Codec<unknown, unknown>): ServeSettings {
  checkNames(options, NAMES)
  const { listen } = options as { listen: unknown }
  const isObject = typeof listen === 'object' && listen !== null && !Array.isArray(listen)
  const isOne = typeof listen === 'string' || typeof listen === 'number' || isObject
  if (!isOne && (!Array.isArray(listen) || listen.length === 0)) {
    throw invalidOption('listen', 'an address or several', listen)
  }
  checkSignal(options.signal)
  // Its own options are checked where no listener has them, too.
  const server = listenSettings(options, { fallback, hasOwnTypes: false, named: NONE })
  const entry = (each: unknown) => checkEntry(each, options, server, fallback)
  return {
    listen: (isOne ? [listen] : (listen as unknown[])).map(entry),
    checkEntry: entry,
    balance: oneOf('balance', options.balance, ['round-robin', 'source-hash', 'least-connections']),
    maxConnections: whole('maxConnections', options.maxConnections, 0, 1),
    refuse: oneOf('onFull', options.onFull, ['wait', 'refuse']) === 'refuse',
  }
}

const NONE: ReadonlySet<string> = new Set()

/** One entry of `listen`: an address, a spec, or what `listener` made. */
function checkEntry(
  entry: unknown,
  options: AnyOptions,
  server: SharedSettings,
  fallback: Codec<unknown, unknown>,
): ListenSettings {
  const hasOwnTypes = entry instanceof OwnSpec
  const spec: unknown = hasOwnTypes ? entry.spec : entry
  if (!isFields(spec)) return { ...server, address: parseAddress(spec, 'listen') }
  const address = parseAddress(placeOf(spec), 'listen')
  checkNames(spec, SPEC_NAMES, ' of a listener')
  const given = Object.entries(spec).filter(([, value]) => value !== undefined)
  const names: readonly string[] = hasOwnTypes ? INHERITED : [...INHERITED, ...HANDLERS, 'codec']
  const defaults = names.map((name) => [
    name,
    (options as unknown as Record<string, unknown>)[name],
  ])
  const merged = Object.fromEntries([...defaults, ...given]) as unknown as AnyOptions
  const { error } = options as AnyHandlers
  if (hasOwnTypes && spec.error === undefined && error !== undefined) {
    // Its connections are of other types than that handler expects.
    Object.assign(merged, { error: (thrown: Error) => error(thrown) })
  }
  const named = new Set(given.map(([name]) => name).filter((name) => SOCKET.has(name)))
  return { ...listenSettings(merged, { fallback, hasOwnTypes, named }), address }
}

/** Names that not every kind of socket has. */
const SOCKET: ReadonlySet<string> = new Set([...SOCKET_NAMES, ...LISTENER_NAMES])

/** What an entry has beside its address. */
type SharedSettings = Omit<ListenSettings, 'address'>

function listenSettings(
  options: AnyOptions,
  how: { fallback: Codec<unknown, unknown>; hasOwnTypes: boolean; named: ReadonlySet<string> },
): SharedSettings {
  checkHandlers(options)
  const settings = checkConn(options, how.fallback, true)
  const { mode, ipv6Only, bindToDevice } = options
  const reusePort = flag('reusePort', options.reusePort, false)
  if (reusePort && !balancesPorts()) {
    const why = 'does not spread connections over the sockets of one port (reusePort)'
    throw new MillraceError('ERR_UNSUPPORTED', `${process.platform} ${why}`)
  }
  return {
    ...settings,
    socket: [...settings.socket, ...listenerPairs(options)],
    handlers: options as unknown as AnyHandlers,
    hasOwnTypes: how.hasOwnTypes,
    backlog: whole('backlog', options.backlog, 4096, 1),
    mode: mode === undefined ? undefined : whole('mode', mode, 0, 0, 0o777),
    reusePort,
    ipv6Only: ipv6Only === undefined ? undefined : flag('ipv6Only', ipv6Only, false),
    device: bindToDevice === undefined ? undefined : checkDevice(bindToDevice),
    named: how.named,
  }
}
