/** What `listen` takes beside addresses: an address with options and handlers of its own. */

import type { ConnOptions } from '../connection/conn-options.js'
import type { Handlers } from '../connection/handlers.js'
import { invalidOption } from '../errors.js'
import type { ListenerOptions } from '../socket/socket-options.js'

/**
 * An address with what is said of its listener alone. What is left out is the server's: its codec and
 * each of its handlers too. Its messages are of the server's types; for others see {@link listener}.
 */
export interface ListenEntry<In, Out, Context>
  extends Handlers<In, Out, Context>,
    ConnOptions<In, Out>,
    ListenerOptions {
  /** Where to listen, as `listen` has it. */
  address: string
}

/** Says that a spec was made by `listener`. */
declare const made: unique symbol

/** A listener with types of its own, made by {@link listener}. It may be used more than once. */
export interface ListenerSpec<In, Out, Context> {
  readonly address: string
  /** Not there: it carries the types. */
  [made](conn: { In: In; Out: Out; Context: Context }): void
}

/** One entry of `listen`. */
export type Listen<In, Out, Context> =
  | string
  | ListenEntry<In, Out, Context>
  | ListenerSpec<unknown, unknown, unknown>

/** See {@link ListenerSpec}. */
export class OwnSpec {
  readonly address: string
  readonly spec: ListenEntry<unknown, unknown, unknown>

  constructor(spec: ListenEntry<unknown, unknown, unknown>) {
    this.address = spec.address
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
