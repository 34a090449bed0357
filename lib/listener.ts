/** A listening socket of a server, and what its connections share. */

import { type Endpoint, formatEndpoint } from './address.js'
import { systemError } from './close-error.js'
import type { Codec } from './codec.js'
import { checkCodec } from './connection.js'
import { MillraceError } from './errors.js'
import { deferred } from './extras.js'
import type { Framing } from './framing.js'
import type { Handlers, Peer } from './handlers.js'
import type { Loop } from './loop.js'
import type { Settings } from './options.js'
import type { AnyServer } from './server.js'

/** What every connection reads at every message: kept flat. */
export class Listener {
  readonly number: number
  readonly server: AnyServer
  readonly handlers: Handlers<unknown, unknown, unknown>
  readonly codec: Codec<unknown, unknown>
  readonly codecOf: ((peer: Peer) => Codec<unknown, unknown>) | undefined
  readonly framing: Framing
  readonly highWaterMark: number
  readonly maxWriteBuffer: number
  readonly maxParked: { readonly bytes: number; readonly frames: number }
  readonly allowHalfOpen: boolean
  /** Its address, as `addresses` shows it. */
  readonly address: string
  /** The last local address shown: most connections of a listener share it. */
  #local: { endpoint: Endpoint; text: string } | undefined
  /** Loops that have not said yet that they have nothing more of it. */
  readonly #open: Set<Loop>
  readonly #closed = deferred<void>()

  constructor(
    number: number,
    server: AnyServer,
    settings: Settings,
    handlers: Handlers<unknown, unknown, unknown>,
    address: string,
    loops: readonly Loop[],
  ) {
    this.number = number
    this.server = server
    this.handlers = handlers
    this.codec = settings.codec
    this.codecOf = settings.codecOf
    this.framing = settings.codec.framing
    this.highWaterMark = settings.highWaterMark
    this.maxWriteBuffer = settings.maxWriteBuffer
    this.maxParked = settings.maxParked
    this.allowHalfOpen = settings.allowHalfOpen
    this.address = address
    // A loop that was lost before says nothing any more.
    this.#open = new Set(loops.filter((loop) => !loop.isDead))
  }

  /** Resolves once every loop has told of every connection that it accepted. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  /** A local address as text, made once for many connections. */
  localText(endpoint: Endpoint): string {
    const last = this.#local
    if (
      last !== undefined &&
      last.endpoint.ip === endpoint.ip &&
      last.endpoint.port === endpoint.port
    ) {
      return last.text
    }
    const text = formatEndpoint(endpoint.ip, endpoint.port)
    this.#local = { endpoint, text }
    return text
  }

  /** A connection's own codec, where there is a function for it. */
  codecFor(peer: Peer): Codec<unknown, unknown> {
    const codec = checkCodec(this.codecOf?.(peer))
    if (!isSame(codec.framing, this.framing)) {
      throw new MillraceError(
        'ERR_INVALID_OPTION',
        'the codec of a connection has another framing than its listener',
      )
    }
    return codec
  }

  closedOn(loop: Loop): void {
    this.#open.delete(loop)
    if (this.#open.size === 0) this.#closed.resolve()
  }

  acceptFailed(errno: number): void {
    this.server.report(systemError(errno, 'accept', { address: this.address }))
  }

  /** A loop is lost; with the last one the server is. */
  lost(loop: Loop): void {
    if (this.server.loops.includes(loop)) {
      this.server.lost(loop)
      this.closedOn(loop)
    }
  }
}

function isSame(one: Framing, other: Framing): boolean {
  return one === other || JSON.stringify(plain(one)) === JSON.stringify(plain(other))
}

/** Without the codec that a framing may also be. */
function plain(framing: Framing): unknown {
  const { kind, ...rest } = framing
  const numbers = Object.entries(rest).filter(
    ([, value]) => typeof value !== 'function' && typeof value !== 'object',
  )
  const bytes = 'bytes' in framing && typeof framing.bytes === 'object' ? [...framing.bytes] : []
  return [kind, numbers.sort(), bytes]
}
