/** Runs a codec's `encode`, and writes the framing's header or delimiter around the message. */

import { MillraceError } from '../errors.js'
import { blameUser } from '../util/blame.js'
import { isThenable, refusePromise } from '../util/thenable.js'
import type { Codec } from './codec.js'
import type { Framing, FramingOf } from './framing.js'
import type { Writer } from './writer.js'
import { memoryOf, WriterImpl } from './writer-impl.js'

/** The half of a codec that writing needs. */
export type Encoder<Out> = Pick<Codec<unknown, Out>, 'encode'>

const LF = 10

/** The most bytes of a varint that a loop reads. */
const MAX_VARINT = 5

/**
 * Encodes a message with a framing.
 *
 * @returns the bytes, which are in the writer's scratch buffer until the writer is used again
 */
export function encodeFrame(
  codec: Codec<unknown, unknown>,
  message: unknown,
  writer: WriterImpl = new WriterImpl(),
  framing: Framing = codec.framing,
): Buffer {
  writer.toScratch()
  try {
    writeFrame(codec, framing, message, writer)
  } finally {
    writer.close()
  }
  return memoryOf(writer).subarray(writer.start, writer.pos)
}

/** Writes one message with its framing, at the writer's position. */
export function writeFrame<Out>(
  codec: Encoder<Out>,
  framing: Framing,
  message: Out,
  to: WriterImpl,
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
      if (indexOf(to, LF) !== -1) throw invalid('a line cannot contain LF')
      checkLength(to.length, framing.max)
      to.u8(LF)
      return
    case 'delimiter':
      writeDelimited(codec, framing, message, to)
      return
    case 'fixed':
      encodeBody(codec, message, to)
      if (to.length !== framing.size) {
        throw invalid(`a frame has ${to.length} bytes, but every frame must have ${framing.size}`)
      }
      return
    case 'varint':
      writeVarint(codec, framing, message, to)
  }
}

function writeDelimited<Out>(
  codec: Encoder<Out>,
  { bytes, max }: FramingOf<'delimiter'>,
  message: Out,
  to: WriterImpl,
): void {
  encodeBody(codec, message, to)
  const { length } = to
  to.bytes(bytes)
  // Searched with the delimiter in place, because it may also begin in the last bytes of the body: behind
  // `a\r\n`, the first `\r\n\r\n` begins at 1.
  if (indexOf(to, bytes) !== length) {
    throw invalid(
      'a frame cannot contain its delimiter, nor end in a part of it that makes an earlier one',
    )
  }
  checkLength(length, max)
}

/** The first length that does not fit into so many bytes. A table, because `**` takes too long for each frame. */
const FIRST_TOO_LARGE = { 1: 2 ** 8, 2: 2 ** 16, 3: 2 ** 24, 4: 2 ** 32, 8: 2 ** 64 } as const

function writeLengthField<Out>(
  codec: Encoder<Out>,
  framing: FramingOf<'lengthField'>,
  message: Out,
  to: WriterImpl,
): void {
  const { bytes, offset, adjust, strip, endian, max } = framing
  if (offset !== 0 || strip !== bytes) {
    encodeBody(codec, message, to)
    checkLengthField(to, memoryOf(to), framing)
    return
  }
  to.reserve(bytes)
  encodeBody(codec, message, to)
  const { length } = to
  checkLength(length, max)
  const value = length - adjust
  if (value < 0 || value >= FIRST_TOO_LARGE[bytes]) {
    throw invalid(`a length of ${value} does not fit into ${bytes} bytes`)
  }
  to.patch(value, bytes, endian === 'little')
}

function writeVarint<Out>(
  codec: Encoder<Out>,
  { offset = 0, strip, max }: FramingOf<'varint'>,
  message: Out,
  to: WriterImpl,
): void {
  if (offset !== 0 || strip !== undefined) {
    encodeBody(codec, message, to)
    checkVarint(to, offset, strip, max)
    return
  }
  // Most frames are short, so one byte is reserved, and a longer body is moved.
  to.reserve(1)
  encodeBody(codec, message, to)
  const { length } = to
  checkLength(length, max)
  let width = 1
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) width++
  if (width > 1) to.shift(width - 1)
  let rest = length
  const memory = memoryOf(to)
  for (let at = 0; at < width; at++) {
    memory[to.start + at] = at === width - 1 ? rest : (rest & 0x7f) | 0x80
    rest >>>= 7
  }
}

/** Checks a frame that `encode` has written with its header: its receiver has to find the same frame. */
function checkLengthField(
  { body, pos, length }: WriterImpl,
  memory: Buffer,
  { bytes, offset, adjust, strip, endian, max }: FramingOf<'lengthField'>,
): void {
  const start = body + offset
  const end = start + bytes
  if (end > pos) throw invalid('a frame ends before its length')
  let value = 0
  for (let at = 0; at < bytes; at++) {
    value = value * 0x100 + (memory[endian === 'little' ? end - 1 - at : start + at] as number)
  }
  if (pos - end !== value + adjust) {
    const says = adjust === 0 ? value : `${value} (with adjust: ${value + adjust})`
    throw invalid(`a frame has ${pos - end} bytes after its length, which says ${says}`)
  }
  checkLength(length - strip, max)
}

/** The same for a varint. */
function checkVarint(
  writer: WriterImpl,
  offset: number,
  strip: number | undefined,
  max: number,
): void {
  const { body, pos } = writer
  const memory = memoryOf(writer)
  const start = body + offset
  let end = start
  while (end < pos && (memory[end] as number) >= 0x80) end++
  if (end >= pos) throw invalid('a frame ends before its length')
  end++
  if (end - start > MAX_VARINT) throw invalid(`the length of a frame has over ${MAX_VARINT} bytes`)
  let length = 0
  for (let at = end - 1; at >= start; at--) length = length * 0x80 + ((memory[at] as number) & 0x7f)
  if (pos - end !== length) {
    throw invalid(`a frame has ${pos - end} bytes after its length, which says ${length}`)
  }
  checkLength(pos - (strip === undefined ? end : body + strip), max)
}

/**
 * Calls `encode`, which has to be synchronous.
 *
 * @throws `ERR_ENCODE_ASYNC`; whatever `encode` throws
 */
export function encodeBody<Out>(codec: Encoder<Out>, message: Out, to: Writer): void {
  const result: unknown = codec.encode(message, to)
  // Arrow functions often return the writer, which is fine.
  if (result === undefined || result === to || !isThenable(result)) return
  throw refusePromise(result, 'ERR_ENCODE_ASYNC', 'encode')
}

/** Returns how many bytes of the body come before the needle, or -1. */
function indexOf(writer: WriterImpl, needle: number | Uint8Array): number {
  return memoryOf(writer).subarray(writer.body, writer.pos).indexOf(needle)
}

function checkLength(length: number, max: number): void {
  if (length > max) {
    throw blameUser(
      new MillraceError('ERR_FRAME_TOO_LARGE', `a frame of ${length} bytes is over max (${max})`),
    )
  }
}

function invalid(message: string): MillraceError {
  return blameUser(new MillraceError('ERR_FRAME_INVALID', message))
}
