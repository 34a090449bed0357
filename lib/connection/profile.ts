/** What the connections of one listener, or of one `connect`, have in common. */

import { type Endpoint, formatEndpoint } from '../address/endpoint.js'
import { type Codec, checkCodec } from '../codec/codec.js'
import { type FrameShape, shapeOf } from '../codec/frame-shape.js'
import type { Framing } from '../codec/framing.js'
import { ownFraming } from '../codec/native-framing.js'
import { isSameFraming } from '../codec/same-framing.js'
import { MillraceError } from '../errors.js'
import type { ParkedLimit } from '../util/parked-limit.js'
import { Scope } from '../util/scope.js'
import type { ConnSettings } from './check-conn.js'
import type { Handlers } from './conn-handlers.js'
import type { ConnImpl } from './conn-impl.js'
import type { Peer } from './peer.js'
import type { TimeoutSettings } from './timeouts.js'

/** The listener or client that a connection belongs to. */
export interface ConnOwner {
  /** A connection has opened. Called before its handlers. */
  connOpened(conn: ConnImpl): void
  /** A connection has closed. Calls its `close` handler. */
  connClosed(conn: ConnImpl, error: Error | undefined): void
  /** The user's code threw after its `close` handler, or when the connection had ended with another error. */
  connFailed(conn: ConnImpl, error: Error): void
}

/** A local address, as many connections share it. */
export interface LocalEndpoint extends Endpoint {
  readonly text: string
}

/** Kept flat, because every connection reads it at every message. */
export class Profile {
  readonly owner: ConnOwner
  readonly handlers: Handlers<unknown, unknown, unknown>
  /** Where the handlers run. */
  readonly scope: Scope
  readonly codec: Codec<unknown, unknown>
  readonly codecOf: ((peer: Peer) => Codec<unknown, unknown>) | undefined
  /** A copy, because users may change theirs later. */
  readonly framing: Framing
  /** What the framing puts around a body; `undefined` if it is `raw`. */
  readonly frameShape: FrameShape | undefined
  readonly highWaterMark: number
  readonly maxWriteBuffer: number
  readonly autoPause: boolean
  readonly maxParked: ParkedLimit
  readonly allowHalfOpen: boolean
  readonly lingerTimeout: number
  readonly timeouts: TimeoutSettings
  /** The same with other framings, for connections that have switched. They all share this map. */
  #others: WeakMap<Framing, Profile> | undefined
  /** The last local address: most connections of a listener have the same one. */
  #lastLocal: LocalEndpoint | undefined

  /** @param framing what the connections have switched to. Default: the framing of their codec */
  constructor(
    owner: ConnOwner,
    settings: Omit<ConnSettings, 'socket'>,
    handlers: Handlers<unknown, unknown, unknown>,
    framing: Framing = settings.codec.framing,
    scope: Scope = new Scope(),
  ) {
    this.owner = owner
    this.handlers = handlers
    this.codec = settings.codec
    this.codecOf = settings.codecOf
    this.framing = ownFraming(framing)
    this.scope = scope
    this.frameShape = shapeOf(this.framing)
    this.highWaterMark = settings.highWaterMark
    this.maxWriteBuffer = settings.maxWriteBuffer
    this.autoPause = settings.autoPause
    this.maxParked = settings.maxParked
    this.allowHalfOpen = settings.allowHalfOpen
    this.lingerTimeout = settings.lingerTimeout
    this.timeouts = settings.timeouts
  }

  /** Whether the loop has to be told where the messages of a raw stream begin and end. */
  get watchesMessages(): boolean {
    const { frame, firstMessage } = this.timeouts
    return this.framing.kind === 'raw' && (frame > 0 || firstMessage > 0)
  }

  /** The longest frame that the framing allows. */
  get maxFrame(): number {
    return this.framing.kind === 'fixed' ? this.framing.size : this.framing.max
  }

  /** Returns the same with another framing, an {@link ownFraming}. Connections that switch to the same one share it. */
  withFraming(framing: Framing): Profile {
    const known = this.#others?.get(framing)
    if (known !== undefined) return known
    const made = new Profile(this.owner, this, this.handlers, framing, this.scope)
    this.#others ??= new WeakMap([[this.framing, this]])
    this.#others.set(framing, made)
    // Whoever switches to and fro must not make a chain of profiles.
    made.#others = this.#others
    return made
  }

  /** Returns a local address as an object that connections share. */
  shareLocal({ ip, port }: Endpoint): LocalEndpoint {
    const last = this.#lastLocal
    if (last !== undefined && last.ip === ip && last.port === port) return last
    const local = { ip, port, text: formatEndpoint(ip, port) }
    this.#lastLocal = local
    return local
  }

  /**
   * Makes the codec of a connection, if `codec` is a function.
   *
   * @throws `ERR_INVALID_OPTION`
   */
  codecFor(peer: Peer): Codec<unknown, unknown> {
    const codec = checkCodec(this.codecOf?.(peer))
    if (!isSameFraming(codec.framing, this.framing)) {
      throw new MillraceError(
        'ERR_INVALID_OPTION',
        'the codec of a connection has to have the framing that its function returned first',
      )
    }
    return codec
  }
}
