/** What `listen` takes beside addresses: an address with options and handlers of its own. */

import type { Address } from '../address/address.js'
import { noPlace, twoPlaces } from '../address/refusals.js'
import type { ConnOptions } from '../connection/conn-options.js'
import type { Handlers } from '../connection/handlers.js'
import { invalidOption } from '../errors.js'
import type { ListenerOptions } from '../socket/socket-options.js'

/** Where one entry of `listen` listens: `port` with or without `host`, or `path`, or `address`. */
export type ListenPlace =
  | {
      /** The port, 0 to let the system choose. */
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

/** The handlers and options of one entry of `listen`. */
export interface ListenEntryOptions<In, Out, Context>
  extends Handlers<In, Out, Context>,
    ConnOptions<In, Out>,
    ListenerOptions {}

/**
 * An address with options and handlers of its own beside it. What is left out is the server's: its
 * codec and each of its handlers too. Its messages are of the server's types; for others see
 * {@link listener}.
 *
 * @example
 * await serve({ listen: [{ port: 9000, noDelay: false }, { path: '/run/my.sock', mode: 0o600 }] })
 */
export type ListenEntry<In, Out, Context> = ListenPlace & ListenEntryOptions<In, Out, Context>

/**
 * Takes the address out of an entry, unchecked.
 *
 * @throws `ERR_INVALID_ADDRESS` if there is none, or an `address` beside other fields of one
 */
export function placeOf(entry: object): unknown {
  const { address } = entry as { address?: unknown }
  const fields = placeFields(entry)
  const names = Object.keys(fields)
  if (address === undefined && names.length === 0) throw noPlace(Object.keys(entry))
  if (address !== undefined && names.length > 0) throw twoPlaces(address, names)
  return address === undefined ? fields : address
}

/** Picks the fields of an entry that make an address. */
function placeFields(entry: object): object {
  const names = Object.entries(entry).filter(([name]) => ['host', 'port', 'path'].includes(name))
  return Object.fromEntries(names.filter(([, value]) => value !== undefined))
}

/** Says that a spec was made by `listener`. */
declare const made: unique symbol

/** A listener with types of its own, made by {@link listener}. It may be used more than once. */
export interface ListenerSpec<In, Out, Context> {
  readonly address: Address
  /** Not there: it carries the types. */
  [made](conn: { In: In; Out: Out; Context: Context }): void
}

/** One entry of `listen`: any {@link Address}, with or without options beside it. */
export type Listen<In, Out, Context> =
  | string
  | number
  | ListenEntry<In, Out, Context>
  | ListenerSpec<unknown, unknown, unknown>

/** See {@link ListenerSpec}. */
export class OwnSpec {
  readonly address: Address
  readonly spec: ListenEntry<unknown, unknown, unknown>

  constructor(spec: ListenEntry<unknown, unknown, unknown>) {
    this.address = spec.address ?? (placeFields(spec) as Address)
    // What is changed later is not meant for listeners that are there.
    this.spec = Object.freeze({ ...spec })
    Object.freeze(this)
  }
}

/**
 * A listener whose messages and `conn.context` are of types of their own, for any server's `listen`. Its
 * codec and handlers are its own altogether (without `codec` messages are chunks); all other options
 * that it leaves out are the server's. The server's `broadcast`, `get` and iteration pass its
 * connections over: they are reached by its `Listener`.
 *
 * @throws `ERR_INVALID_OPTION` if it is no object; its options are checked by the server
 */
export function listener<In = Buffer, Out = Uint8Array | string, Context = undefined>(
  spec: ListenEntry<In, Out, Context>,
): ListenerSpec<In, Out, Context> {
  if (typeof spec !== 'object' || spec === null) throw invalidOption('spec', 'an object', spec)
  const own = new OwnSpec(spec as unknown as ListenEntry<unknown, unknown, unknown>)
  return own as unknown as ListenerSpec<In, Out, Context>
}
