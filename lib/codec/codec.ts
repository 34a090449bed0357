/** How frames become messages and messages frames. */

import { invalidOption, MillraceError } from '../errors.js'
import type { Framing } from './framing.js'
import type { Reader } from './reader.js'
import type { Writer } from './writer.js'

/**
 * A protocol: what the loop cuts the stream into, and what a piece means.
 *
 * @typeParam In what `decode` makes, and `message` gets
 * @typeParam Out what `conn.write` takes, and `encode` gets
 */
export interface Codec<In, Out = In> {
  /** What the loop cuts the stream into: `raw()`, `lengthField()`, … */
  readonly framing: Framing
  /**
   * Makes a message. With `raw` framing: one message, or `undefined` if it is not all here yet (the
   * reader is put back, and the same bytes come again with more behind them). With any other: from
   * exactly one frame, all of which has to be read (else `ERR_FRAME_NOT_CONSUMED`); `undefined`
   * swallows it. A throw means that the stream is broken: the connection is destroyed with it.
   */
  decode(from: Reader): In | undefined
  /**
   * Writes a message's body; the framing writes length, end or delimiter around it. Synchronous: a
   * promise is refused with `ERR_ENCODE_ASYNC`. A throw reaches the caller of `write`, and nothing is
   * sent.
   */
  encode(message: Out, to: Writer): void
}

/** What `decode` returns where `undefined` would ask for more bytes: a message that is none. */
export const SWALLOWED: unique symbol = Symbol('millrace.swallowed')

/**
 * A value as a codec.
 *
 * @throws `ERR_INVALID_OPTION` if it is none
 */
export function checkCodec(codec: unknown): Codec<unknown, unknown> {
  const { decode, encode } = (codec ?? {}) as Partial<Codec<unknown, unknown>>
  if (!hasFraming(codec) || typeof decode !== 'function' || typeof encode !== 'function') {
    throw invalidOption('codec', 'a codec with framing, decode and encode', codec)
  }
  return codec as Codec<unknown, unknown>
}

function hasFraming(codec: unknown): boolean {
  const { framing } = (codec ?? {}) as Partial<Codec<unknown, unknown>>
  return typeof framing === 'object' && framing !== null
}

/**
 * A codec as it is, its types inferred from its functions.
 *
 * @throws `ERR_INVALID_OPTION` if it is none
 */
export function defineCodec<In, Out = In>(codec: Codec<In, Out>): Codec<In, Out> {
  checkCodec(codec)
  return codec
}

/**
 * A codec on top of another: `decode` maps its messages, `encode` maps back. `undefined` from
 * `decode` swallows a message.
 *
 * @throws `ERR_INVALID_OPTION` without a codec and two functions
 */
export function map<In, Out, NextIn, NextOut = NextIn>(
  codec: Codec<In, Out>,
  decode: (message: In) => NextIn | undefined,
  encode: (message: NextOut) => Out,
): Codec<NextIn, NextOut> {
  checkCodec(codec)
  if (typeof decode !== 'function') throw invalidOption('decode', 'a function', decode)
  if (typeof encode !== 'function') throw invalidOption('encode', 'a function', encode)
  // With raw framing `undefined` means that the message is not all here.
  const nothing = codec.framing.kind === 'raw' ? (SWALLOWED as unknown as undefined) : undefined
  return {
    framing: codec.framing,
    decode(from) {
      const message = codec.decode(from)
      if (message === undefined || message === SWALLOWED) return message as undefined
      const mapped = decode(message)
      return mapped === undefined ? nothing : mapped
    },
    encode(message, to) {
      return codec.encode(encode(message), to)
    },
  }
}

/**
 * JSON in the frames of another codec: `json<Ping, Pong>(lengthField())`, `json(line())`. What is no
 * JSON destroys the connection with `ERR_FRAME_INVALID`. The types are a promise of yours, not
 * checked: validate in `message`, or with {@link map}.
 *
 * @throws `ERR_INVALID_OPTION` without a framing that makes frames
 */
export function json<In = unknown, Out = In>(codec: { readonly framing: Framing }): Codec<In, Out> {
  if (!hasFraming(codec)) throw invalidOption('codec', 'a codec with framing', codec)
  const { framing } = codec
  if (framing.kind === 'raw') {
    throw new MillraceError('ERR_INVALID_OPTION', 'json needs frames: lengthField(), line(), …')
  }
  return {
    framing,
    decode(from) {
      const text = from.text(from.remaining)
      try {
        return JSON.parse(text) as In
      } catch (cause) {
        throw new MillraceError('ERR_FRAME_INVALID', 'a frame is no JSON', { cause })
      }
    },
    encode(message, to) {
      const text = JSON.stringify(message)
      if (text === undefined) throw new TypeError('a message has to be representable as JSON')
      to.text(text)
    },
  }
}
