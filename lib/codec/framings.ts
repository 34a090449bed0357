/** The six framings. Each is also a codec whose messages are whole frames. */

import { invalidOption, MillraceError, shown } from '../errors.js'
import { checkNames, requiredWhole, whole } from '../util/checks.js'
import type { Codec } from './codec.js'
import type { FrameData } from './frame-data.js'
import { DEFAULT_MAX, type Framing, type FramingOf } from './framing.js'
import { freezeFraming } from './native-framing.js'
import type { Reader } from './reader.js'
import type { Writer } from './writer.js'

/**
 * A framing that is also a codec: its messages are whole frames, as bytes.
 *
 * @typeParam F the framing
 * @example
 * ```ts
 * const codecs: FrameCodec[] = [line(), varint()]
 * await serve({ listen: codecs.map((codec, index) => ({ port: 9000 + index, codec })) })
 * ```
 */
export type FrameCodec<F extends Framing = Framing> = F & Codec<Buffer, FrameData>

function decode(from: Reader): Buffer | undefined {
  return from.bytes(from.remaining)
}

function encode(message: FrameData, to: Writer): void {
  if (typeof message === 'string') to.text(message)
  else if (message instanceof Uint8Array) to.bytes(message)
  else if (Array.isArray(message)) for (const part of message) encodePart(part, to)
  else throw notData('a message has to be a string, a Uint8Array or an array of them', message)
}

function encodePart(part: unknown, to: Writer): void {
  if (typeof part === 'string') to.text(part)
  else if (part instanceof Uint8Array) to.bytes(part)
  else throw notData('a part of a message has to be a string or a Uint8Array', part)
}

function notData(rule: string, value: unknown): MillraceError {
  return new MillraceError(
    'ERR_INVALID_OPTION',
    `${rule}, not ${shown(value)}: to send anything else, give the option codec, such as json(line())`,
  )
}

function frameCodec<F extends Framing>(framing: F): FrameCodec<F> {
  const codec = { ...framing, framing: freezeFraming(framing), decode, encode }
  return Object.freeze(codec) as unknown as FrameCodec<F>
}

const LIMIT_NAMES: ReadonlySet<string> = new Set(['max'])
const VARINT_NAMES: ReadonlySet<string> = new Set(['offset', 'strip', 'max'])
const LENGTH_FIELD_NAMES: ReadonlySet<string> = new Set([
  'bytes',
  'offset',
  'adjust',
  'strip',
  'endian',
  'max',
])

function limit(options: { max?: number | undefined } | undefined): number {
  if (options === undefined) return DEFAULT_MAX
  // A misspelt `max` would mean no bound at all.
  checkNames(options, LIMIT_NAMES, ' of a framing')
  return whole('max', options.max, DEFAULT_MAX, 1)
}

/**
 * Makes no frames: `decode` sees the bytes as they come, and returns `undefined` when a message is not
 * complete.
 *
 * @param options.max bytes that `decode` may leave unread. Over it the connection ends with
 *   `ERR_FRAME_TOO_LARGE`. Default 1 MiB
 * @throws `ERR_INVALID_OPTION`
 * @example
 * ```ts
 * await serve({ listen: 9000, codec: raw({ max: 64 * 1024 }) })
 * ```
 */
export function raw(options?: { max?: number | undefined }): FrameCodec<FramingOf<'raw'>> {
  return frameCodec({ kind: 'raw', max: limit(options) })
}

/**
 * Splits at LF, and drops one CR before it. A line that is written gets its LF; a message that contains
 * LF is refused with `ERR_FRAME_INVALID`.
 *
 * A text that ends in CR is sent as it is, which makes a line that ends in CRLF. Its receiver drops that
 * CR, so a message whose last byte is a CR of its own arrives without it.
 *
 * @param options.max the longest line in bytes, without its end. Default 1 MiB
 * @throws `ERR_INVALID_OPTION`
 * @example
 * ```ts
 * await serve({ listen: 9000, codec: line({ max: 4096 }) })
 * ```
 */
export function line(options?: { max?: number | undefined }): FrameCodec<FramingOf<'line'>> {
  return frameCodec({ kind: 'line', max: limit(options) })
}

/**
 * Splits at a delimiter, which is dropped from received frames and added to written ones. A message
 * that contains the delimiter is refused with `ERR_FRAME_INVALID`. So is a message whose end, together
 * with the delimiter behind it, makes an earlier one: `a\r\n` with the delimiter `\r\n\r\n`.
 *
 * @param bytes the delimiter: 1 to 16 bytes, or text that has so many in UTF-8
 * @param options.max the longest frame in bytes, without the delimiter. Default 1 MiB
 * @throws `ERR_INVALID_OPTION`
 * @example
 * ```ts
 * await serve({ listen: 9000, codec: delimiter('\0') })
 * ```
 */
export function delimiter(
  bytes: Uint8Array | string,
  options?: { max?: number | undefined },
): FrameCodec<FramingOf<'delimiter'>> {
  if (typeof bytes !== 'string' && !(bytes instanceof Uint8Array)) {
    throw invalidOption('bytes', 'a string or a Uint8Array', bytes)
  }
  const copy = Uint8Array.from(typeof bytes === 'string' ? Buffer.from(bytes) : bytes)
  return frameCodec({ kind: 'delimiter', bytes: copy, max: limit(options) })
}

/**
 * Splits into frames of one size. A message of another size is refused with `ERR_FRAME_INVALID`.
 *
 * @param size bytes of a frame, at least 1
 * @throws `ERR_INVALID_OPTION`
 * @example
 * ```ts
 * await serve({ listen: 9000, codec: fixed(188) })
 * ```
 */
export function fixed(size: number): FrameCodec<FramingOf<'fixed'>> {
  return frameCodec({ kind: 'fixed', size: requiredWhole('size', size, 1) })
}

/**
 * What {@link lengthField} takes. All sizes are in bytes.
 *
 * @example
 * ```ts
 * const http2: LengthFieldOptions = { bytes: 3, adjust: 6, strip: 0, max: 16_393 }
 * await serve({ listen: 9000, codec: lengthField(http2) })
 * ```
 */
export interface LengthFieldOptions {
  /** The width of the length field: 1, 2, 3, 4 or 8. Default 4. */
  bytes?: 1 | 2 | 3 | 4 | 8 | undefined
  /** Bytes in front of the length field. Default 0. */
  offset?: number | undefined
  /**
   * What to add to the length to get the number of bytes that follow the field: negative where the length
   * counts the header too. Default 0.
   */
  adjust?: number | undefined
  /** Bytes to remove from the front of a frame. Default `offset + bytes`, which removes the header. */
  strip?: number | undefined
  /** The byte order of the length field. Default `'big'`. */
  endian?: 'big' | 'little' | undefined
  /** The longest frame, as `decode` sees it. Default 1 MiB. */
  max?: number | undefined
}

/**
 * Splits into frames that carry their own length: a frame is `offset + bytes + length + adjust` bytes
 * long, as in netty's `LengthFieldBasedFrameDecoder`. The frames of HTTP/2 are
 * `{ bytes: 3, adjust: 6, strip: 0 }`.
 *
 * If the header is nothing but the length (`offset` is 0 and `strip` has its default), the header is
 * written for you. Otherwise `encode` writes the whole frame, header included.
 *
 * @throws `ERR_INVALID_OPTION`
 * @example
 * ```ts
 * await serve({ listen: 9000, codec: lengthField({ bytes: 2, max: 4096 }) })
 * ```
 */
export function lengthField(
  options: LengthFieldOptions = {},
): FrameCodec<FramingOf<'lengthField'>> {
  checkNames(options, LENGTH_FIELD_NAMES, ' of a framing')
  const { bytes = 4, endian = 'big', adjust = 0, max } = options
  if (![1, 2, 3, 4, 8].includes(bytes)) throw invalidOption('bytes', '1, 2, 3, 4 or 8', bytes)
  const offset = whole('offset', options.offset, 0, 0)
  const strip = whole('strip', options.strip, offset + bytes, 0)
  if (!Number.isSafeInteger(adjust)) throw invalidOption('adjust', 'a whole number', adjust)
  if (endian !== 'big' && endian !== 'little') {
    throw invalidOption('endian', "'big' or 'little'", endian)
  }
  return frameCodec({
    kind: 'lengthField',
    bytes,
    offset,
    adjust,
    strip,
    endian,
    max: whole('max', max, DEFAULT_MAX, 1),
  })
}

/**
 * What {@link varint} takes. All sizes are in bytes.
 *
 * @example
 * ```ts
 * const mqtt: VarintOptions = { offset: 1, strip: 0, max: 256 * 1024 }
 * await serve({ listen: 1883, codec: varint(mqtt) })
 * ```
 */
export interface VarintOptions {
  /** Bytes in front of the varint, at most 1024. Default 0. */
  offset?: number | undefined
  /**
   * Bytes to remove from the front of a frame, at most `offset + 1`: 0 keeps the whole frame. Default
   * `offset` and the bytes of the varint, which removes the header.
   */
  strip?: number | undefined
  /** The longest frame, as `decode` sees it. Default 1 MiB. */
  max?: number | undefined
}

/**
 * Splits into frames that carry their length as a base-128 varint of up to 5 bytes, as protocol buffers
 * delimit messages: a frame is `offset` bytes, the varint, and as many bytes as it says. The packets of MQTT
 * are `{ offset: 1, strip: 0 }`.
 *
 * If the header is nothing but the varint (`offset` is 0 and `strip` is left alone), the header is written
 * for you. Otherwise `encode` writes the whole frame, header included; a frame whose varint does not say how
 * many bytes follow it is refused with `ERR_FRAME_INVALID`.
 *
 * @throws `ERR_INVALID_OPTION`
 * @example
 * ```ts
 * await serve({ listen: 9000, codec: varint({ max: 4096 }) })
 * ```
 */
export function varint(options: VarintOptions = {}): FrameCodec<FramingOf<'varint'>> {
  checkNames(options, VARINT_NAMES, ' of a framing')
  const offset = whole('offset', options.offset, 0, 0)
  const { strip } = options
  return frameCodec({
    kind: 'varint',
    ...(offset === 0 ? {} : { offset }),
    ...(strip === undefined ? {} : { strip: requiredWhole('strip', strip, 0) }),
    max: whole('max', options.max, DEFAULT_MAX, 1),
  })
}

let chunks: FrameCodec<FramingOf<'raw'>> | undefined

/** Returns the codec that is used without the option `codec`: `raw()`. The first call makes it. */
export function defaultCodec(): Codec<unknown, unknown> {
  chunks ??= raw()
  return chunks as unknown as Codec<unknown, unknown>
}
