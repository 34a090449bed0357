/** What the loop cuts a stream into, and the codecs of whole frames that name it. */

import { isThenable } from '../connection/writing.js'
import { invalidOption, MillraceError } from '../errors.js'
import { checkFraming, type FramingInit } from '../native/binding.js'
import { checkNames } from '../util/checks.js'
import type { Codec } from './codec.js'
import type { Reader } from './reader.js'
import { FrameWriter, type Writer } from './writer.js'

/** The default of every `max`: 1 MiB. */
export const DEFAULT_MAX: number = 1 << 20

/** How the bytes of a stream become frames. Plain data, made by the functions of the same names. */
export type Framing =
  | { readonly kind: 'raw'; readonly max: number }
  | { readonly kind: 'line'; readonly max: number }
  | { readonly kind: 'delimiter'; readonly bytes: Uint8Array; readonly max: number }
  | { readonly kind: 'fixed'; readonly size: number }
  | {
      readonly kind: 'lengthField'
      readonly bytes: 1 | 2 | 3 | 4 | 8
      readonly offset: number
      readonly adjust: number
      readonly strip: number
      readonly endian: 'big' | 'little'
      readonly max: number
    }
  | { readonly kind: 'varint'; readonly max: number }

/** A framing that is also the codec whose messages are whole frames as bytes. */
export type FrameCodec<F extends Framing = Framing> = F & Codec<Buffer, Uint8Array | string>

/** The half of a codec that writing needs. */
export type Encoder<Out> = Pick<Codec<unknown, Out>, 'encode'>

/** Of a kind, without the codec around it. */
type Of<Kind extends Framing['kind']> = Extract<Framing, { kind: Kind }>

function decode(from: Reader): Buffer | undefined {
  return from.bytes(from.remaining)
}

function encode(message: Uint8Array | string, to: Writer): void {
  if (typeof message === 'string') to.text(message)
  else if (message instanceof Uint8Array) to.bytes(message)
  else throw new TypeError(`expected a string or a Uint8Array, not ${typeof message}`)
}

/** Framings that were made here, and cannot have been changed since. */
const valid = new WeakSet<Framing>()

/**
 * Refuses a framing that is none, of a codec that was written by hand.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function validate(framing: Framing): void {
  if (valid.has(framing)) return
  if (framing.kind !== 'fixed') count('max', framing.max, 1)
  let problem: string | null
  try {
    problem = checkFraming(toNative(framing))
  } catch (thrown) {
    problem = (thrown as Error).message
  }
  if (problem !== null) throw new MillraceError('ERR_INVALID_OPTION', problem)
}

function frameCodec<F extends Framing>(framing: F): FrameCodec<F> {
  validate(framing)
  const codec = { ...framing, framing: Object.freeze(framing), decode, encode }
  valid.add(framing)
  return Object.freeze(codec) as unknown as FrameCodec<F>
}

function count(name: string, value: unknown, least = 0): number {
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > 0x7fffffff) {
    throw invalidOption(name, `a whole number of at least ${least}`, value)
  }
  return value as number
}

const LIMIT_NAMES: ReadonlySet<string> = new Set(['max'])
const LENGTH_FIELD_NAMES: ReadonlySet<string> = new Set([
  'bytes',
  'offset',
  'adjust',
  'strip',
  'endian',
  'max',
])

function limit(options: { max?: number } | undefined): number {
  if (options === undefined) return DEFAULT_MAX
  // A bound that is misspelt would be none.
  checkNames(options, LIMIT_NAMES, ' of a framing')
  const { max = DEFAULT_MAX } = options
  return count('max', max, 1)
}

/**
 * No frames: `decode` sees the bytes as they come, and says with `undefined` that a message is not
 * all there. `max` (default 1 MiB) bounds what it may leave unread; over it the connection ends with
 * `ERR_FRAME_TOO_LARGE`.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function raw(options?: { max?: number }): FrameCodec<Of<'raw'>> {
  return frameCodec({ kind: 'raw', max: limit(options) })
}

/**
 * Lines that end in LF; one CR before it is dropped. `max` (default 1 MiB) is the longest line in
 * bytes, without its end. A line written gets its LF; one that contains LF is refused with
 * `ERR_FRAME_INVALID`.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function line(options?: { max?: number }): FrameCodec<Of<'line'>> {
  return frameCodec({ kind: 'line', max: limit(options) })
}

/**
 * Frames that end in 1 to 16 bytes, given as bytes or text, which are dropped on the way in and
 * added on the way out. `max` (default 1 MiB) is the longest frame without them.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function delimiter(
  bytes: Uint8Array | string,
  options?: { max?: number },
): FrameCodec<Of<'delimiter'>> {
  if (typeof bytes !== 'string' && !(bytes instanceof Uint8Array)) {
    throw invalidOption('bytes', 'a string or a Uint8Array', bytes)
  }
  const copy = Uint8Array.from(typeof bytes === 'string' ? Buffer.from(bytes) : bytes)
  return frameCodec({ kind: 'delimiter', bytes: copy, max: limit(options) })
}

/**
 * Frames of `size` bytes each, at least 1. A message of another size is refused with
 * `ERR_FRAME_INVALID`.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function fixed(size: number): FrameCodec<Of<'fixed'>> {
  return frameCodec({ kind: 'fixed', size: count('size', size, 1) })
}

/** The numbers of {@link lengthField}. */
export interface LengthFieldOptions {
  /** How wide the length is: 1, 2, 3, 4 or 8 bytes. Default 4. */
  bytes?: 1 | 2 | 3 | 4 | 8
  /** Bytes before the length. Default 0. */
  offset?: number
  /** What to add to the length to get the bytes behind it: negative where it counts itself. Default 0. */
  adjust?: number
  /** Bytes to take off a frame's front. Default `offset + bytes`: the header goes. */
  strip?: number
  /** Default `'big'`. */
  endian?: 'big' | 'little'
  /** The longest frame, as `decode` sees it, in bytes. Default 1 MiB. */
  max?: number
}

/**
 * Frames that say how long they are: a frame is `offset + bytes + length + adjust` bytes, as in
 * netty's `LengthFieldBasedFrameDecoder`. HTTP/2's is `{ bytes: 3, adjust: 6, strip: 0 }`.
 *
 * Where the header is nothing but the length (`offset` 0, `strip` left alone) it is written around
 * what `encode` writes. Otherwise `encode` writes the whole frame, header and all.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function lengthField(options: LengthFieldOptions = {}): FrameCodec<Of<'lengthField'>> {
  checkNames(options, LENGTH_FIELD_NAMES, ' of a framing')
  const { bytes = 4, endian = 'big', adjust = 0, max } = options
  if (![1, 2, 3, 4, 8].includes(bytes)) throw invalidOption('bytes', '1, 2, 3, 4 or 8', bytes)
  const offset = count('offset', options.offset === undefined ? 0 : options.offset)
  const strip = count('strip', options.strip === undefined ? offset + bytes : options.strip)
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
    max: max === undefined ? DEFAULT_MAX : count('max', max, 1),
  })
}

/**
 * Frames behind their length as a base-128 varint, as protocol buffers delimit messages. `max`
 * (default 1 MiB) is the longest frame in bytes.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function varint(options?: { max?: number }): FrameCodec<Of<'varint'>> {
  return frameCodec({ kind: 'varint', max: limit(options) })
}

/** A framing as the native side takes it. */
export function toNative(framing: Framing): FramingInit {
  const known = natives.get(framing)
  if (known !== undefined) return known
  const made = makeNative(framing)
  // What is frozen stays what it is.
  if (valid.has(framing)) natives.set(framing, made)
  return made
}

/** Whether it was made here, and so cannot change any more. */
export function isFixed(framing: Framing): boolean {
  return valid.has(framing)
}

/** Of the framings that are frozen. */
const natives = new WeakMap<Framing, FramingInit>()

function makeNative(framing: Framing): FramingInit {
  switch (framing.kind) {
    case 'delimiter':
      return { kind: framing.kind, max: framing.max, delimiter: framing.bytes }
    case 'lengthField': {
      const { kind, bytes, offset, adjust, strip, endian, max } = framing
      return { kind, bytes, offset, adjust, strip, little: endian === 'little', max }
    }
    default:
      return { ...framing, kind: framing.kind }
  }
}

/** A message as bytes, framing and all. */
export function encodeFrame(
  codec: Codec<unknown, unknown>,
  message: unknown,
  writer: FrameWriter = new FrameWriter(),
): Buffer {
  writer.aside()
  try {
    writeFrame(codec, codec.framing, message, writer)
  } finally {
    writer.close()
  }
  return writer.memory.subarray(writer.start, writer.pos)
}

/** Encodes one message with what its framing puts around it. The writer stands where it goes. */
export function writeFrame<Out>(
  codec: Encoder<Out>,
  framing: Framing,
  message: Out,
  to: FrameWriter,
): void {
  switch (framing.kind) {
    case 'raw':
      encodeBody(codec, message, to)
      return
    case 'lengthField':
      writeLengthField(codec, framing, message, to)
      return
    case 'line':
      encodeBody(codec, message, to)
      if (contains(to, 10)) throw invalid('a line cannot contain LF')
      checkLength(to.length, framing.max)
      to.u8(10)
      return
    case 'delimiter':
      encodeBody(codec, message, to)
      if (contains(to, framing.bytes)) throw invalid('a frame cannot contain its delimiter')
      checkLength(to.length, framing.max)
      to.bytes(framing.bytes)
      return
    case 'fixed':
      encodeBody(codec, message, to)
      if (to.length !== framing.size) {
        throw invalid(`a frame of ${to.length} bytes where all have ${framing.size}`)
      }
      return
    case 'varint':
      writeVarint(codec, framing.max, message, to)
  }
}

/** The least length that so many bytes cannot hold: a table, for a power takes longer than a frame. */
const BEYOND = { 1: 2 ** 8, 2: 2 ** 16, 3: 2 ** 24, 4: 2 ** 32, 8: 2 ** 64 } as const

function writeLengthField<Out>(
  codec: Encoder<Out>,
  { bytes, offset, adjust, strip, endian, max }: Of<'lengthField'>,
  message: Out,
  to: FrameWriter,
): void {
  if (offset !== 0 || strip !== bytes) {
    encodeBody(codec, message, to)
    return
  }
  to.reserve(bytes)
  encodeBody(codec, message, to)
  const { length } = to
  checkLength(length, max)
  const value = length - adjust
  if (value < 0 || value >= BEYOND[bytes]) {
    throw invalid(`a length of ${value} does not fit into ${bytes} bytes`)
  }
  to.patch(value, bytes, endian === 'little')
}

function writeVarint<Out>(codec: Encoder<Out>, max: number, message: Out, to: FrameWriter): void {
  // Most frames are short: one byte is reserved, and a longer body is moved.
  to.reserve(1)
  encodeBody(codec, message, to)
  const { length } = to
  checkLength(length, max)
  let width = 1
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) width++
  if (width > 1) to.shift(width - 1)
  let rest = length
  for (let at = 0; at < width; at++) {
    to.memory[to.start + at] = at === width - 1 ? rest : (rest & 0x7f) | 0x80
    rest >>>= 7
  }
}

/**
 * Calls `encode`, which has to be through when it returns.
 *
 * @throws `ERR_ENCODE_ASYNC`; whatever it throws
 */
export function encodeBody<Out>(codec: Encoder<Out>, message: Out, to: Writer): void {
  const result: unknown = codec.encode(message, to)
  // Some return the writer: nothing to look at more closely.
  if (result === undefined || result === to || !isThenable(result)) return
  // Its outcome is of no interest any more.
  result.then(undefined, () => {})
  throw new MillraceError('ERR_ENCODE_ASYNC', 'encode returned a promise; it has to be synchronous')
}

function contains(writer: FrameWriter, needle: number | Uint8Array): boolean {
  return writer.memory.subarray(writer.body, writer.pos).includes(needle as number)
}

function checkLength(length: number, max: number): void {
  if (length > max) {
    throw new MillraceError(
      'ERR_FRAME_TOO_LARGE',
      `a frame of ${length} bytes is over max (${max})`,
    )
  }
}

function invalid(message: string): MillraceError {
  return new MillraceError('ERR_FRAME_INVALID', message)
}
