/** What the connections of a listener, or of one `connect`, have in common. */

import { type Endpoint, formatEndpoint } from '../address/endpoint.js'
import { type Codec, checkCodec } from '../codec/codec.js'
import type { Framing } from '../codec/framing.js'
import { MillraceError } from '../errors.js'
import type { ConnSettings } from '../server/options.js'
import type { ConnImpl } from './conn-impl.js'
import type { Handlers, Peer } from './handlers.js'

/** Whose connections they are. */
export interface Owner {
  /** One is there. */
  add(conn: ConnImpl): void
  /** One is gone: tells its `close`. */
  closed(conn: ConnImpl, error: Error | undefined): void
  /** Tells what no `close` tells. */
  report(error: Error, conn?: ConnImpl): void
}

/** What every connection reads at every message: kept flat. */
export class Profile {
  readonly owner: Owner
  readonly handlers: Handlers<unknown, unknown, unknown>
  readonly codec: Codec<unknown, unknown>
  readonly codecOf: ((peer: Peer) => Codec<unknown, unknown>) | undefined
  readonly framing: Framing
  readonly highWaterMark: number
  readonly maxWriteBuffer: number
  readonly maxParked: { readonly bytes: number; readonly frames: number }
  readonly allowHalfOpen: boolean
  /** The last local address shown: most connections of a listener share it. */
  #local: { endpoint: Endpoint; text: string } | undefined

  constructor(owner: Owner, settings: ConnSettings, handlers: Handlers<unknown, unknown, unknown>) {
    this.owner = owner
    this.handlers = handlers
    this.codec = settings.codec
    this.codecOf = settings.codecOf
    this.framing = settings.codec.framing
    this.highWaterMark = settings.highWaterMark
    this.maxWriteBuffer = settings.maxWriteBuffer
    this.maxParked = settings.maxParked
    this.allowHalfOpen = settings.allowHalfOpen
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
