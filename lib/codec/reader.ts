/** What `decode` reads with. */

/**
 * Reads numbers, text and bytes from the front of a frame, or of the bytes received so far. A reader is
 * valid only inside the `decode` that it was given to.
 *
 * Every method that reads past the end, or a negative length, throws `ERR_FRAME_INVALID`, which destroys the connection
 * unless `decode` catches it. Under `raw` framing look at {@link remaining} first. After `decode` has returned, every
 * method throws `ERR_READER_STALE`.
 *
 * An argument that is of the wrong type is a `TypeError`; a length that is no whole number, and a
 * byte to search that is not from 0 to 255, are a `RangeError`. They count as mistakes of the codec.
 *
 * @example
 * ```ts
 * function decode(from: Reader) {
 *   const id = from.u32()
 *   const name = from.text(from.u8())
 *   return { id, name, body: from.bytes(from.remaining) }
 * }
 * ```
 */
export interface Reader {
  /** The number of bytes that were not read yet. */
  readonly remaining: number
  /** Reads 1 byte as an unsigned integer. */
  u8(): number
  /** Reads 1 byte as a signed integer. */
  i8(): number
  /** Reads 2 bytes as an unsigned integer, big-endian. */
  u16(): number
  /** Reads 2 bytes as an unsigned integer, little-endian. */
  u16le(): number
  /** Reads 2 bytes as a signed integer, big-endian. */
  i16(): number
  /** Reads 2 bytes as a signed integer, little-endian. */
  i16le(): number
  /** Reads 4 bytes as an unsigned integer, big-endian. */
  u32(): number
  /** Reads 4 bytes as an unsigned integer, little-endian. */
  u32le(): number
  /** Reads 4 bytes as a signed integer, big-endian. */
  i32(): number
  /** Reads 4 bytes as a signed integer, little-endian. */
  i32le(): number
  /** Reads 8 bytes as an unsigned integer, big-endian. */
  u64(): bigint
  /** Reads 8 bytes as an unsigned integer, little-endian. */
  u64le(): bigint
  /** Reads 8 bytes as a signed integer, big-endian. */
  i64(): bigint
  /** Reads 8 bytes as a signed integer, little-endian. */
  i64le(): bigint
  /** Reads 4 bytes as a single-precision float, big-endian. */
  f32(): number
  /** Reads 4 bytes as a single-precision float, little-endian. */
  f32le(): number
  /** Reads 8 bytes as a double-precision float, big-endian. */
  f64(): number
  /** Reads 8 bytes as a double-precision float, little-endian. */
  f64le(): number
  /**
   * Returns a byte without reading it.
   *
   * @param at how many bytes ahead. Default 0, the next byte
   */
  peek(at?: number): number
  /**
   * Searches for a byte, or for a sequence of bytes, without reading.
   *
   * @param needle what to find
   * @param from how many bytes ahead the search begins. Default 0
   * @returns how many bytes ahead the needle begins, or -1
   */
  indexOf(needle: number | Uint8Array, from?: number): number
  /** Returns whether these bytes come next, without reading them. */
  startsWith(bytes: Uint8Array): boolean
  /**
   * Reads `n` bytes as a Buffer that you may keep and change.
   *
   * Its memory (`buffer`) may be shared: from 65 bytes to 16 KiB, other messages are in it too, also those of
   * other connections. The memory is up to 8 times as long as the Buffer, and stays as long as any Buffer in it is
   * kept. Use the Buffer only, not its `buffer`. Transferring shared memory is refused, except on Node 22, where
   * `ArrayBuffer.prototype.transfer` empties all messages in it, and on Node 20 and 22, where a `ReadableStream` of
   * bytes does. Use {@link copy} for what is kept for long or transferred.
   */
  bytes(n: number): Buffer
  /**
   * Reads `n` bytes as a Buffer with memory of its own: its `buffer` has exactly these `n` bytes, and may be
   * transferred to a worker. Up to 64 bytes this costs as much as {@link bytes}, above that an allocation more.
   *
   * @example
   * ```ts
   * const cache = new Map<string, Buffer>()
   * function decode(from: Reader) {
   *   const key = from.text(from.u8())
   *   cache.set(key, from.copy(from.remaining))
   *   return key
   * }
   * ```
   */
  copy(n: number): Buffer & { readonly buffer: ArrayBuffer }
  /**
   * Reads `n` bytes as text.
   *
   * @param encoding default `'utf8'`; `'latin1'` is the fastest
   */
  text(n: number, encoding?: BufferEncoding): string
  /** Skips `n` bytes. */
  skip(n: number): void
  /**
   * Drops the next `n` bytes, also those that have not arrived yet: they are dropped as they come, without being kept,
   * and do not count for `max`. Then `decode` is called again. For codecs with `raw` framing; otherwise it is `skip`.
   *
   * What `decode` has read stays read, even if it then returns `undefined`. If the stream ends before all of them have
   * come, the connection ends with `ERR_FRAME_INCOMPLETE`.
   *
   * @param n how many bytes, up to `Number.MAX_SAFE_INTEGER`
   */
  discard(n: number): void
  /**
   * Passes over `n` bytes, and returns a reader of just these bytes, for a message inside of a message. The outer reader
   * goes on behind them at once, whether or not the inner one reads them all.
   *
   * The inner reader is valid as long as the outer one. It may have frames of its own, and several may be used side by side.
   * Reading past its end throws `ERR_FRAME_INVALID`, also under `raw` framing, and counts as the peer's fault. If
   * fewer than `n` bytes are there, `frame` throws what {@link bytes} throws.
   *
   * @example
   * ```ts
   * function decode(from: Reader) {
   *   const header = from.frame(from.u16())
   *   const id = header.u32() // the fields behind it are of a later version
   *   return { id, body: from.bytes(from.remaining) }
   * }
   * ```
   */
  frame(n: number): Reader
}
