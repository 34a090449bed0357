/** Sends a part of a file, read off the loops' threads, a piece at a time. */

import type { FileHandle } from 'node:fs/promises'
import { MillraceError } from '../errors.js'
import type { Halt } from '../util/halt.js'
import type { ConnImpl } from './conn-impl.js'
import { roomForMore, writePiece } from './writing.js'

/** How much is read and sent at once. */
const PIECE = 256 * 1024

/** The part of a file that is to be sent. */
export interface FileRange {
  /** The first byte. */
  readonly start: number
  /** The first byte that does not belong to it. */
  readonly end: number
}

/**
 * The part of a file from `start` to `last`, or to the file's end.
 *
 * @throws `ERR_FILE_TOO_SHORT` if the file does not have it
 */
export function rangeOf(size: number, start: number, last: number | undefined): FileRange {
  const end = last === undefined ? size : last + 1
  if (Math.max(start, end) > size) {
    const missing = start > size ? `start, ${start}` : `end, ${last}`
    throw new MillraceError(
      'ERR_FILE_TOO_SHORT',
      `the file has ${size} bytes, and ends before ${missing}`,
    )
  }
  return { start, end }
}

/**
 * Sends a part of a file. While a piece waits to be sent, the next one is read.
 *
 * @param begun is called before each piece is sent. From the first one on, the peer expects the rest
 * @throws `ERR_FILE_CHANGED` if the file has become shorter; what reading throws; the reason of `halt`
 */
export async function sendRange(
  conn: ConnImpl,
  file: FileHandle,
  range: FileRange,
  halt: Halt,
  begun: () => void,
): Promise<void> {
  const size = range.end - range.start
  // One is read into while the other one is sent.
  const buffers = [0, PIECE].map((from) =>
    Buffer.allocUnsafeSlow(Math.max(0, Math.min(PIECE, size - from))),
  )
  let at = range.start
  let pieces = 0
  const read = (): Promise<Buffer> | undefined => {
    if (at === range.end) return undefined
    const buffer = buffers[pieces++ % 2] as Buffer
    const reading = readPiece(file, buffer, at, range.end)
    // It is awaited later, and must not count as unhandled until then.
    reading.catch(() => {})
    return reading
  }
  let reading = read()
  while (reading !== undefined) {
    const piece = await halt.wait(reading)
    halt.check()
    at += piece.length
    reading = read()
    begun()
    if (!writePiece(conn, piece)) await halt.wait(roomForMore(conn))
  }
}

/** Fills a buffer, or as much of it as the range has left. */
async function readPiece(
  file: FileHandle,
  buffer: Buffer,
  at: number,
  end: number,
): Promise<Buffer> {
  const size = Math.min(buffer.length, end - at)
  let filled = 0
  while (filled < size) {
    const { bytesRead } = await file.read(buffer, filled, size - filled, at + filled)
    if (bytesRead === 0) {
      throw new MillraceError(
        'ERR_FILE_CHANGED',
        `the file has become shorter: it ended at byte ${at + filled}, before byte ${end}`,
      )
    }
    filled += bytesRead
  }
  return buffer.subarray(0, size)
}
