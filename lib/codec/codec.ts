/** Codecs: they turn frames into messages, and messages into frames. */

import { invalidOption, MillraceError, shown } from '../errors.js'
import type { Framing } from './framing.js'
import type { Reader } from './reader.js'
import type { Writer } from './writer.js'

/**
 * A protocol: how the loop cuts the stream into frames, and what a frame means.
 *
 * @typeParam In the messages that `decode` returns and the `message` handler gets
 * @typeParam Out the messages that `conn.write` takes and `encode` gets
 * @example
 * ```ts
 * const codec: Codec<number> = {
 *   framing: fixed(4),
 *   decode: (from) => from.u32(),
 *   encode: (message, to) => void to.u32(message),
 * }
 * ```
 */
export interface Codec<In, Out = In> {
  /** How the loop cuts the stream into frames: `raw()`, `lengthField()`, … */
  readonly framing: Framing
  /**
   * Makes a message from received bytes. Synchronous: a promise is refused with `ERR_DECODE_ASYNC`.
   *
   * With `raw` framing, `decode` reads one message from the front of the bytes received so far, or
   * returns `undefined` if the message is not complete: the same bytes then come again, with more after
   * them. A message must consume at least one byte (`ERR_FRAME_INVALID`).
   *
   * With any other framing, `decode` gets exactly one frame and has to read all of it (otherwise
   * `ERR_FRAME_NOT_CONSUMED`). Returning `undefined` then swallows the frame.
   *
   * A throw means that the stream is broken. The connection is destroyed with what was thrown.
   */
  decode(from: Reader): In | undefined
  /**
   * Writes the body of a message; the framing writes its length or delimiter around it. Synchronous: a
   * promise is refused with `ERR_ENCODE_ASYNC`. A throw reaches the caller of `write`, and nothing is
   * sent.
   */
  encode(message: Out, to: Writer): void
  /**
   * Whether another codec may be assigned to `conn.codec` while a connection has this one. A codec with `raw` framing
   * may always be replaced. `map` and `json` take this over from the codec that they are made of. Costs nothing for
   * each frame. Default false.
   */
  readonly switchable?: boolean | undefined
}

/** What `decode` of `map` returns for a swallowed message under `raw` framing, where `undefined` asks for more bytes. */
export const SWALLOWED: unique symbol = Symbol('millrace.swallowed')

/**
 * Checks that a value is a codec.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function checkCodec(codec: unknown): Codec<unknown, unknown> {
  if (typeof codec !== 'object' || codec === null) {
    throw invalidOption('codec', 'an object with framing, decode and encode', codec)
  }
  const { decode, encode, switchable } = codec as Partial<Codec<unknown, unknown>>
  if (switchable !== undefined && typeof switchable !== 'boolean') {
    throw invalidOption('switchable', 'true or false', switchable)
  }
  const missing = [
    ...(hasFraming(codec) ? [] : ['a framing, such as line()']),
    ...(typeof decode === 'function' ? [] : ['a function decode']),
    ...(typeof encode === 'function' ? [] : ['a function encode']),
  ]
  if (missing.length > 0) {
    throw new MillraceError('ERR_INVALID_OPTION', `the codec lacks ${missing.join(' and ')}`)
  }
  return codec as Codec<unknown, unknown>
}

function hasFraming(codec: unknown): boolean {
  const { framing } = (codec ?? {}) as Partial<Codec<unknown, unknown>>
  return typeof framing === 'object' && framing !== null && typeof framing.kind === 'string'
}

/**
 * Returns a codec as it is. TypeScript infers the types of its messages from its functions.
 *
 * @throws `ERR_INVALID_OPTION` if `codec` lacks a framing or a function
 * @example
 * ```ts
 * const codec = defineCodec({
 *   framing: lengthField({ bytes: 2 }),
 *   decode: (from) => ({ id: from.u32(), name: from.text(from.remaining) }),
 *   encode: (message, to) => to.u32(message.id).text(message.name),
 * })
 * ```
 */
export function defineCodec<In, Out = In>(codec: Codec<In, Out>): Codec<In, Out> {
  checkCodec(codec)
  return codec
}

/**
 * Makes a codec on top of another one.
 *
 * @param codec the codec below
 * @param decode converts a received message. `undefined` swallows the message
 * @param encode converts a message to be sent
 * @throws `ERR_INVALID_OPTION` without a codec and two functions
 * @example
 * ```ts
 * const text = map(line(), (bytes) => bytes.toString(), (line: string) => line)
 * ```
 */
export function map<In, Out, NextIn, NextOut = NextIn>(
  codec: Codec<In, Out>,
  decode: (message: In) => NextIn | undefined,
  encode: (message: NextOut) => Out,
): Codec<NextIn, NextOut> {
  checkCodec(codec)
  if (typeof decode !== 'function') throw invalidOption('decode', 'a function', decode)
  if (typeof encode !== 'function') throw invalidOption('encode', 'a function', encode)
  // Under raw framing `undefined` means that the message is not complete.
  const swallowed = codec.framing.kind === 'raw' ? (SWALLOWED as unknown as undefined) : undefined
  return {
    framing: codec.framing,
    ...(codec.switchable === undefined ? {} : { switchable: codec.switchable }),
    decode(from) {
      const message = codec.decode(from)
      if (message === undefined || message === SWALLOWED) return message as undefined
      const mapped = decode(message)
      return mapped === undefined ? swallowed : mapped
    },
    encode(message, to) {
      return codec.encode(encode(message), to)
    },
  }
}

/**
 * Makes a codec of JSON messages, one in each frame of another codec. A frame that is not JSON destroys
 * the connection with `ERR_FRAME_INVALID`.
 *
 * The types are your promise, as with `JSON.parse`: nothing is checked. Validate in `message`, or with
 * {@link map}.
 *
 * @typeParam In the messages received. Default `any`, as `JSON.parse` returns it
 * @typeParam Out the messages sent. Default `In`
 * @param codec a framing, or a codec that has one
 * @throws `ERR_INVALID_OPTION` with `raw` framing, or without a framing
 * @example
 * ```ts
 * await serve({
 *   listen: 9000,
 *   codec: json<{ id: number }>(line()),
 *   message: (conn, { id }) => conn.write({ id: id + 1 }),
 * })
 * ```
 */
// biome-ignore lint/suspicious/noExplicitAny: typed as JSON.parse is
export function json<In = any, Out = In>(codec: { readonly framing: Framing }): Codec<In, Out> {
  if (!hasFraming(codec)) {
    throw new MillraceError(
      'ERR_INVALID_OPTION',
      `json needs a framing, as in json(line()) or json(lengthField()), not ${shown(codec)}`,
    )
  }
  const { framing, switchable } = codec as Pick<Codec<unknown>, 'framing' | 'switchable'>
  if (framing.kind === 'raw') {
    throw new MillraceError(
      'ERR_INVALID_OPTION',
      'json needs a framing that makes frames, such as lengthField() or line()',
    )
  }
  return {
    framing,
    ...(switchable === undefined ? {} : { switchable }),
    decode(from) {
      const text = from.text(from.remaining)
      try {
        return JSON.parse(text) as In
      } catch (cause) {
        throw new MillraceError('ERR_FRAME_INVALID', 'a frame is not JSON', { cause })
      }
    },
    encode(message, to) {
      const text = JSON.stringify(message)
      if (text === undefined) throw new TypeError('the message has no JSON representation')
      to.text(text)
    },
  }
}
