/** What `encode` writes with. */

import type { Reader } from './reader.js'

/**
 * Writes numbers, text and bytes. Every method returns the writer, so that calls can be chained. A writer
 * is valid only inside the `encode` that it was given to: after that every method throws
 * `ERR_WRITER_STALE`.
 *
 * An argument of the wrong type is refused with a `TypeError`. A number that its bytes cannot hold, such as
 * 256 or 0.5 for `u8`, is refused with a `RangeError`. Nothing of the message is sent then. To write the
 * low bits of a number, cut it yourself: `to.u8(value & 0xff)`.
 *
 * @example
 * ```ts
 * function encode(message: { id: number; name: string; body: Buffer }, to: Writer) {
 *   const { id, name, body } = message
 *   to.u32(id).u8(Buffer.byteLength(name)).text(name).bytes(body)
 * }
 * ```
 */
export interface Writer {
  /** The number of bytes that this `encode` has written so far. */
  readonly length: number
  /** Writes a number in 1 byte, as an unsigned integer. */
  u8(value: number): this
  /** Writes a number in 1 byte, as a signed integer. */
  i8(value: number): this
  /** Writes a number in 2 bytes, as an unsigned integer, big-endian. */
  u16(value: number): this
  /** Writes a number in 2 bytes, as an unsigned integer, little-endian. */
  u16le(value: number): this
  /** Writes a number in 2 bytes, as a signed integer, big-endian. */
  i16(value: number): this
  /** Writes a number in 2 bytes, as a signed integer, little-endian. */
  i16le(value: number): this
  /** Writes a number in 4 bytes, as an unsigned integer, big-endian. */
  u32(value: number): this
  /** Writes a number in 4 bytes, as an unsigned integer, little-endian. */
  u32le(value: number): this
  /** Writes a number in 4 bytes, as a signed integer, big-endian. */
  i32(value: number): this
  /** Writes a number in 4 bytes, as a signed integer, little-endian. */
  i32le(value: number): this
  /** Writes a bigint in 8 bytes, as an unsigned integer, big-endian. */
  u64(value: bigint): this
  /** Writes a bigint in 8 bytes, as an unsigned integer, little-endian. */
  u64le(value: bigint): this
  /** Writes a bigint in 8 bytes, as a signed integer, big-endian. */
  i64(value: bigint): this
  /** Writes a bigint in 8 bytes, as a signed integer, little-endian. */
  i64le(value: bigint): this
  /** Writes a number in 4 bytes, rounded to a single-precision float, big-endian. */
  f32(value: number): this
  /** Writes a number in 4 bytes, rounded to a single-precision float, little-endian. */
  f32le(value: number): this
  /** Writes a number in 8 bytes, as a double-precision float, big-endian. */
  f64(value: number): this
  /** Writes a number in 8 bytes, as a double-precision float, little-endian. */
  f64le(value: number): this
  /** Writes a copy of the bytes, which the caller may change afterwards. */
  bytes(bytes: Uint8Array): this
  /**
   * Writes text.
   *
   * @param encoding default `'utf8'`; `'latin1'` is the fastest
   */
  text(text: string, encoding?: BufferEncoding): this
  /** Reads `n` bytes from a reader and writes them. */
  copy(reader: Reader, n: number): this
}
