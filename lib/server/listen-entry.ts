/** The entries of `listen`: addresses with options and handlers of their own, and `listener`. */

import type { Address } from '../address/address.js'
import { doubleAddress, missingAddress } from '../address/refusals.js'
import type { FrameData } from '../codec/frame-data.js'
import type { Handlers } from '../connection/conn-handlers.js'
import type { ConnOptions } from '../connection/conn-options.js'
import { invalidOption } from '../errors.js'
import type { ListenerOptions } from '../socket/socket-options.js'
import type { ProxyProtocolOptions } from './proxy-protocol.js'

/**
 * Where one entry of `listen` listens: a `port` with or without a `host`, a `path`, or an `address`.
 *
 * @example
 * ```ts
 * const where: ListenAddress = { host: '127.0.0.1', port: 9000 }
 * await serve({ listen: { ...where, backlog: 128 } })
 * ```
 */
export type ListenAddress =
  | {
      /** The port. 0 lets the system choose. */
      port: number
      /** An IP address or a name. Default: all addresses of this machine. */
      host?: string | undefined
      path?: undefined
      address?: undefined
    }
  | {
      /** The path of a Unix socket, or `@` and an abstract name (Linux). */
      path: string
      host?: undefined
      port?: undefined
      address?: undefined
    }
  | {
      /** Any {@link Address}, such as `fd://3` or `systemd://web`. */
      address: Address
      host?: undefined
      port?: undefined
      path?: undefined
    }

/**
 * The handlers and options of one entry of `listen`. All of them are optional.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Context what the handler `context` returns
 * @example
 * ```ts
 * const quick: ListenEntryOptions = { noDelay: true }
 * await serve({ listen: [{ port: 9000, ...quick }, { port: 9001 }] })
 * ```
 */
export interface ListenEntryOptions<In = Buffer, Out = FrameData, Context = undefined>
  extends Handlers<In, Out, Context>,
    ConnOptions<In, Out>,
    ListenerOptions {
  /**
   * Whose connections begin with a PROXY header, which says who the client is. The header is read before the connection
   * opens. A connection without a good header, from somebody who has to send one, is reset, and no handler
   * hears of it. `false`: nobody's. Default: as the server has it.
   */
  proxyProtocol?: ProxyProtocolOptions | false | undefined
}

/**
 * An address of `listen` with options and handlers of its own. The entry inherits from the server
 * whatever it leaves out: each option, each handler, and the codec. Its messages have the server's types;
 * {@link listener} makes a listener with other types.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Context what the handler `context` returns
 * @example
 * ```ts
 * await serve({ listen: [{ port: 9000, noDelay: false }, { path: '/run/my.sock', mode: 0o600 }] })
 * ```
 */
export type ListenEntry<In, Out, Context> = ListenAddress & ListenEntryOptions<In, Out, Context>

/**
 * Returns the address of an entry, unchecked.
 *
 * @throws `ERR_INVALID_ADDRESS` if the entry has no address, or both `address` and fields such as `port`
 */
export function addressOf(entry: object): unknown {
  const { address } = entry as { address?: unknown }
  const fields = addressFields(entry)
  const names = Object.keys(fields)
  if (address === undefined && names.length === 0) throw missingAddress(Object.keys(entry))
  if (address !== undefined && names.length > 0) throw doubleAddress(address, names)
  return address === undefined ? fields : address
}

/** Picks the fields of an entry that make an address: `host`, `port` and `path`. */
function addressFields(entry: object): object {
  const fields = Object.entries(entry).filter(([name]) => ['host', 'port', 'path'].includes(name))
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined))
}

/** Marks what `listener` returned. Only the type system sees it. */
declare const types: unique symbol

/**
 * A listener with message types of its own, made by {@link listener}. It may be used for several servers.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Context what the handler `context` returns
 * @example
 * ```ts
 * const admin: ListenerSpec<Buffer, FrameData, undefined> = listener({
 *   port: 9001,
 *   codec: line(),
 *   message: (conn, command) => conn.write(command),
 * })
 * await serve({ listen: [9000, admin] })
 * ```
 */
export interface ListenerSpec<In, Out, Context> {
  /** Where it listens. */
  readonly address: Address
  /** Carries the types. The property does not exist at run time. */
  [types](conn: { In: In; Out: Out; Context: Context }): void
}

/**
 * One entry of `listen`: a port, a URL, an address with options beside it, or what {@link listener}
 * returned.
 *
 * @typeParam In the messages received
 * @typeParam Out the messages sent
 * @typeParam Context what the handler `context` returns
 * @example
 * ```ts
 * const entry: Listen<Buffer, FrameData, undefined> = { port: 9000, backlog: 128 }
 * await serve({ listen: ['unix:///run/my.sock', entry] })
 * ```
 */
export type Listen<In, Out, Context> =
  | string
  | number
  | ListenEntry<In, Out, Context>
  | ListenerSpec<unknown, unknown, unknown>

/** The implementation of {@link ListenerSpec}: an entry whose messages have types of their own. */
export class ListenerSpecImpl {
  readonly address: Address
  readonly entry: ListenEntry<unknown, unknown, unknown>

  constructor(entry: ListenEntry<unknown, unknown, unknown>) {
    this.address = entry.address ?? (addressFields(entry) as Address)
    // Copied, so that later changes to the user's object do not reach servers that use it.
    this.entry = Object.freeze({ ...entry })
    Object.freeze(this)
  }
}

/**
 * Makes a listener whose messages and `conn.context` have types of their own, for `listen` of any server.
 *
 * Such a listener does not inherit the server's codec and handlers, except that errors go to the server's
 * `error` handler, without the connection, if the listener has no `error` handler. Without `codec` its
 * messages are chunks. It inherits all other options that it leaves out. The server's `broadcast`, `get`
 * and iteration skip its connections: use the `Listener` to reach them.
 *
 * @typeParam In the messages received, inferred from the codec. Default `Buffer`
 * @typeParam Out the messages sent, inferred from the codec. Default `FrameData`
 * @typeParam Context what the handler `context` returns
 * @param spec the address, the codec, the handlers and the options. The server checks the options
 * @throws `ERR_INVALID_OPTION` if `spec` is not an object
 * @example
 * ```ts
 * const admin = listener({
 *   address: 'tcp://127.0.0.1:9001',
 *   codec: json<{ command: string }>(line()),
 *   message: (conn, { command }) => conn.end({ command }),
 * })
 * await serve({ listen: [9000, admin], message: (conn, chunk) => conn.write(chunk) })
 * ```
 */
export function listener<In = Buffer, Out = FrameData, Context = undefined>(
  spec: ListenEntry<In, Out, Context>,
): ListenerSpec<In, Out, Context> {
  if (typeof spec !== 'object' || spec === null) throw invalidOption('spec', 'an object', spec)
  const typed = new ListenerSpecImpl(spec as unknown as ListenEntry<unknown, unknown, unknown>)
  return typed as unknown as ListenerSpec<In, Out, Context>
}
