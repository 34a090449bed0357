/** Framings with parsers written as plainly as possible, to compare the loops' with. */

import fc, { type Arbitrary } from 'fast-check'
import { delimiter, fixed, lengthField, line, raw, varint } from 'millrace'
import type { Bytes } from './framings.js'

/** What has to come of a stream. */
export interface Parsed {
  messages: Buffer[]
  /** The whole frames of the messages, headers and delimiters included. */
  frames: Buffer[]
  /** The code of the error that ends it, if any. */
  error: string | undefined
}

/** A framing of a model. */
export interface FramingModel {
  readonly codec: Bytes
  /** Messages that can be sent: those that `encode` gets. */
  readonly message: Arbitrary<Buffer>
  /** What `encode` gets, as it is on the wire. */
  wire(message: Buffer): Buffer
  /** Whether `encode` gets a message as `decode` made it, and not the whole frame. */
  readonly isPlain: boolean
  /** What has to come of any bytes. */
  parse(stream: Buffer): Parsed
}

/** The longest frame of all models: short, so that garbage meets it. */
const MAX = 300

/** Where the first frame of a stream ends, and the message in it; an error, or undefined if more has to come. */
type Cut = { size: number; message: Buffer } | 'ERR_FRAME_INVALID' | 'ERR_FRAME_TOO_LARGE'

/** A parser from a function that cuts one frame. */
function parser(cut: (rest: Buffer) => Cut | undefined): (stream: Buffer) => Parsed {
  return (stream) => {
    const messages: Buffer[] = []
    const frames: Buffer[] = []
    let rest = stream
    while (rest.length > 0) {
      const next = cut(rest)
      if (next === undefined) return { messages, frames, error: 'ERR_FRAME_INCOMPLETE' }
      if (typeof next === 'string') return { messages, frames, error: next }
      messages.push(next.message)
      frames.push(rest.subarray(0, next.size))
      rest = rest.subarray(next.size)
    }
    return { messages, frames, error: undefined }
  }
}

const buffer = (bytes: Uint8Array) => Buffer.from(bytes)
const bytesOf = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength, size: 'max' }).map(buffer)
const bodies = bytesOf(0, 250)
/** Few values, so that delimiters and their parts are frequent. */
const texts = fc
  .array(fc.constantFrom(10, 13, 46, 97), { maxLength: 60 })
  .map((all) => Buffer.from(all))

function delimited(mark: Buffer, codec: FramingModel['codec'], dropsCr: boolean): FramingModel {
  const wire = (message: Buffer) => Buffer.concat([message, mark])
  const isWhole = (body: Buffer) => wire(body).indexOf(mark) === body.length
  return {
    codec,
    isPlain: true,
    message: texts.filter((body) => isWhole(body) && !(dropsCr && body.at(-1) === 13)),
    wire,
    parse: parser((rest) => {
      const at = rest.indexOf(mark)
      const hasCr = dropsCr && at > 0 && rest[at - 1] === 13
      const end = hasCr ? at - 1 : at
      if (at === -1) return rest.length >= MAX + mark.length ? 'ERR_FRAME_TOO_LARGE' : undefined
      if (end > MAX) return 'ERR_FRAME_TOO_LARGE'
      return { size: at + mark.length, message: rest.subarray(0, end) }
    }),
  }
}

/** The bytes of a length, and its place behind `offset` bytes. */
interface Shape {
  bytes: 1 | 2 | 3 | 4 | 8
  offset: number
  endian: 'big' | 'little'
  adjust: number
  strip: number
}

function lengthOf(shape: Shape, rest: Buffer): bigint {
  const field = rest.subarray(shape.offset, shape.offset + shape.bytes)
  const digits = shape.endian === 'big' ? [...field] : [...field].reverse()
  return digits.reduce((sum, digit) => sum * 256n + BigInt(digit), 0n)
}

function lengthModel(shape: Shape): FramingModel {
  const { bytes, offset, endian, adjust, strip } = shape
  const header = offset + bytes
  const isPlain = offset === 0 && strip === bytes
  const headed = (front: Buffer, body: Buffer) => {
    const length = Buffer.alloc(8)
    length.writeBigUInt64BE(BigInt(body.length - adjust))
    const field = length.subarray(8 - bytes)
    return Buffer.concat([front, endian === 'big' ? field : Buffer.from(field).reverse(), body])
  }
  const framing = lengthField({ ...shape, strip, max: MAX })
  return {
    codec: framing,
    isPlain,
    message: fc
      .tuple(bytesOf(offset, offset), bytesOf(Math.max(0, adjust), 240))
      .map(([front, body]) => (isPlain ? body : headed(front, body))),
    wire: (message) => (isPlain ? headed(Buffer.alloc(0), message) : message),
    parse: parser((rest) => {
      if (rest.length < header) return undefined
      const announced = lengthOf(shape, rest)
      const length = announced + BigInt(adjust)
      const size = length + BigInt(header)
      if (announced > 2n ** 53n || length < 0n || size < BigInt(strip)) return 'ERR_FRAME_INVALID'
      if (size - BigInt(strip) > BigInt(MAX)) return 'ERR_FRAME_TOO_LARGE'
      if (BigInt(rest.length) < size) return undefined
      return { size: Number(size), message: rest.subarray(strip, Number(size)) }
    }),
  }
}

function varintOf(value: number): Buffer {
  return value < 128
    ? Buffer.of(value)
    : Buffer.concat([Buffer.of((value % 128) + 128), varintOf(value >> 7)])
}

function varintModel(offset: number, strip: number | undefined): FramingModel {
  const isPlain = offset === 0 && strip === undefined
  return {
    isPlain,
    codec: varint(isPlain ? { max: MAX } : { offset, strip, max: MAX }),
    message: fc
      .tuple(bytesOf(offset, offset), bodies)
      .map(([front, body]) =>
        isPlain ? body : Buffer.concat([front, varintOf(body.length), body]),
      ),
    wire: (body) => (isPlain ? Buffer.concat([varintOf(body.length), body]) : body),
    parse: parser((rest) => {
      let length = 0
      for (let at = 0; at < 5; at++) {
        const byte = rest[offset + at]
        if (byte === undefined) return undefined
        length += (byte & 127) * 128 ** at
        if (byte >= 128) continue
        const size = offset + at + 1 + length
        const stripped = strip ?? offset + at + 1
        if (size - stripped > MAX) return 'ERR_FRAME_TOO_LARGE'
        return rest.length < size ? undefined : { size, message: rest.subarray(stripped, size) }
      }
      return 'ERR_FRAME_INVALID'
    }),
  }
}

const rawModel: FramingModel = {
  codec: raw(),
  isPlain: true,
  message: bodies.filter((body) => body.length > 0),
  wire: (body) => body,
  parse(stream) {
    const all = stream.length > 0 ? [stream] : []
    return { messages: all, frames: all, error: undefined }
  },
}

function fixedModel(size: number): FramingModel {
  return {
    codec: fixed(size),
    isPlain: true,
    message: bytesOf(size, size),
    wire: (body) => body,
    parse: parser((rest) =>
      rest.length < size ? undefined : { size, message: rest.subarray(0, size) },
    ),
  }
}

const shapes: Arbitrary<Shape> = fc
  .record({
    bytes: fc.constantFrom(1, 2, 3, 4, 8),
    offset: fc.integer({ min: 0, max: 5 }),
    endian: fc.constantFrom('big', 'little'),
    adjust: fc.integer({ min: -12, max: 12 }),
    part: fc.constantFrom('header', 'nothing', 'some'),
  })
  .map(({ part, ...shape }) => {
    const header = shape.offset + shape.bytes
    const strip = part === 'header' ? header : part === 'nothing' ? 0 : header >> 1
    return { ...shape, strip } as Shape
  })

/** A model that failures show by its framing alone. */
function named(model: FramingModel): FramingModel {
  return Object.assign(model, { [fc.toStringMethod]: () => JSON.stringify(model.codec.framing) })
}

const ALL: Readonly<Record<string, Arbitrary<FramingModel>>> = {
  raw: fc.constant(rawModel),
  line: fc.constant(delimited(Buffer.from('\n'), line({ max: MAX }), true)),
  delimiter: fc
    .constantFrom('\n', '\r\n', '\r\n\r\n', '\r\n.\r\n', 'aa', 'a.a')
    .map((mark) => delimited(Buffer.from(mark), delimiter(mark, { max: MAX }), false)),
  fixed: fc.integer({ min: 1, max: 20 }).map(fixedModel),
  lengthField: shapes.map(lengthModel),
  varint: fc
    .tuple(fc.integer({ min: 0, max: 4 }), fc.constantFrom(undefined, 0, 1))
    .map(([offset, strip]) => varintModel(offset, strip)),
}

/** Every framing by its name, with random options. */
export const MODELS: Readonly<Record<string, Arbitrary<FramingModel>>> = Object.fromEntries(
  Object.entries(ALL).map(([name, models]) => [name, models.map(named)]),
)
