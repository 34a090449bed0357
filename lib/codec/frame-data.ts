/** The type of what a framing's own codec sends. */

/**
 * One message as bytes, as text in UTF-8, or as several of these, which are joined into one frame without being copied
 * together first.
 *
 * @example
 * ```ts
 * function reply(conn: Conn<Buffer, FrameData>, header: Buffer, body: Buffer) {
 *   conn.write([header, body])
 * }
 * ```
 */
export type FrameData = Uint8Array | string | readonly (Uint8Array | string)[]
