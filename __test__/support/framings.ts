/** Every framing as data: the codec of the server, and the bytes that its client sends and receives. */

import { type Codec, delimiter, fixed, lengthField, line, raw, varint } from 'millrace'

/** A codec whose messages are bytes. */
export type Bytes = Codec<Buffer, Uint8Array | string>

export interface FramingCase {
  readonly name: string
  /** A codec whose messages are bytes, and whose echo sends the same bytes on the wire. */
  codec(max: number): Bytes
  /** The longest body that its header can announce. */
  readonly most: number
  /** The length of every body, if it is fixed. */
  readonly size?: number
  /** A body as it is on the wire. The body must not contain the bytes 10 and 13. */
  wire(body: Buffer): Buffer
  /** The part around the body that the server's messages include. */
  readonly kept?: 'header'
}

const FIXED = 1000
const DELIMITER = '\r\n.\r\n'
/** The bytes before a length that has an offset. */
const MAGIC = Buffer.from('MILL')

function header(width: number, endian: 'big' | 'little', value: number): Buffer {
  const bytes = Buffer.alloc(8)
  if (endian === 'big') bytes.writeBigUInt64BE(BigInt(value))
  else bytes.writeBigUInt64LE(BigInt(value))
  return endian === 'big' ? bytes.subarray(8 - width) : bytes.subarray(0, width)
}

function length(bytes: 1 | 2 | 3 | 4 | 8, endian: 'big' | 'little'): FramingCase {
  return {
    name: `lengthField of ${bytes} bytes, ${endian}-endian`,
    codec: (max) => lengthField({ bytes, endian, max }),
    most: Math.min(256 ** bytes - 1, 2 ** 31 - 1),
    wire: (body) => Buffer.concat([header(bytes, endian, body.length), body]),
  }
}

function varintOf(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

const WIDTHS = [1, 2, 3, 4, 8] as const

export const FRAMINGS: readonly FramingCase[] = [
  { name: 'raw', codec: (max) => raw({ max }), most: 2 ** 31 - 1, wire: (body) => body },
  {
    name: 'line',
    codec: (max) => line({ max }),
    most: 2 ** 31 - 1,
    wire: (body) => Buffer.concat([body, Buffer.from('\n')]),
  },
  {
    name: 'delimiter of one byte',
    codec: (max) => delimiter('\n', { max }),
    most: 2 ** 31 - 1,
    wire: (body) => Buffer.concat([body, Buffer.from('\n')]),
  },
  {
    name: 'delimiter of five bytes',
    codec: (max) => delimiter(DELIMITER, { max }),
    most: 2 ** 31 - 1,
    wire: (body) => Buffer.concat([body, Buffer.from(DELIMITER)]),
  },
  { name: 'fixed', codec: () => fixed(FIXED), most: FIXED, size: FIXED, wire: (body) => body },
  ...WIDTHS.flatMap((bytes) => [length(bytes, 'big'), length(bytes, 'little')]),
  {
    name: 'lengthField that includes its header',
    codec: (max) => lengthField({ bytes: 4, adjust: -4, max }),
    most: 2 ** 31 - 1,
    wire: (body) => Buffer.concat([header(4, 'big', body.length + 4), body]),
  },
  {
    name: 'lengthField with six bytes before the body, not stripped',
    codec: (max) => lengthField({ bytes: 3, adjust: 6, strip: 0, max: max + 9 }),
    most: 2 ** 24 - 1,
    wire: (body) => Buffer.concat([header(3, 'big', body.length), Buffer.from('header'), body]),
    kept: 'header',
  },
  {
    name: 'lengthField at an offset, stripped and written again',
    codec: (max) => ({
      ...lengthField({ bytes: 2, offset: 4, endian: 'little', max }),
      encode(body: Uint8Array | string, to) {
        const { length } = body
        to.bytes(MAGIC).u16le(length)
        if (typeof body === 'string') to.text(body)
        else to.bytes(body)
      },
    }),
    most: 65_535,
    wire: (body) => Buffer.concat([MAGIC, header(2, 'little', body.length), body]),
  },
  {
    name: 'varint',
    codec: (max) => varint({ max }),
    most: 2 ** 31 - 1,
    wire: (body) => Buffer.concat([varintOf(body.length), body]),
  },
  {
    name: 'varint behind a byte, not stripped',
    codec: (max) => varint({ offset: 1, strip: 0, max: max + 1 + varintOf(max).length }),
    most: 2 ** 31 - 1,
    wire: (body) => Buffer.concat([Buffer.of(0x90), varintOf(body.length), body]),
    kept: 'header',
  },
  {
    name: 'varint at an offset, stripped and written again',
    codec: (max) => ({
      ...varint({ offset: 4, max }),
      encode(body: Uint8Array | string, to) {
        to.bytes(MAGIC).bytes(varintOf(body.length))
        if (typeof body === 'string') to.text(body)
        else to.bytes(body)
      },
    }),
    most: 2 ** 31 - 1,
    wire: (body) => Buffer.concat([MAGIC, varintOf(body.length), body]),
  },
]

/** Bytes to cut bodies from: every value except CR and LF, with no short period. */
const pool = Buffer.allocUnsafe(16 << 20)
for (let at = 0, state = 1; at < pool.length; at += 2) {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
  pool[at] = state >>> 24
  pool[at + 1] = state >>> 16
  if (pool[at] === 10 || pool[at] === 13) pool[at] = 46
  if (pool[at + 1] === 10 || pool[at + 1] === 13) pool[at + 1] = 46
}

/** A body of `size` bytes, different for each `from`. */
export function bodyOf(size: number, from: number): Buffer {
  const at = from % Math.max(1, pool.length - size)
  return pool.subarray(at, at + size)
}
