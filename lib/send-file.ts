/** `sendFile`, which sends a file or a part of it. */

import type { PathLike } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Conn } from './connection/conn.js'
import { ConnImpl } from './connection/conn-impl.js'
import { promiseSettled } from './connection/end-of-input.js'
import { sendRange } from './connection/file-sending.js'
import { CLOSED, OUTPUT_OVER, SENDING_FILE, TAKEN } from './connection/flags.js'
import { drainedAfterFile } from './connection/writing.js'
import { invalidOption, MillraceError, toError } from './errors.js'
import { connPiped, connSendsFile } from './native/close-error.js'
import { checkSignal, unlessAborted } from './util/abort-signal.js'
import { checkNames, whole } from './util/checks.js'

/**
 * Options of `sendFile`.
 *
 * @example
 * ```ts
 * async function sendRange(conn: Conn, path: string, start: number, end: number) {
 *   const options: SendFileOptions = { start, end }
 *   await sendFile(conn, path, options)
 * }
 * ```
 */
export interface SendFileOptions {
  /** The first byte to send. Default 0. */
  start?: number | undefined
  /** The last byte to send, as in `fs.createReadStream`. Default, and at most, the last byte of the file. */
  end?: number | undefined
  /** Stops sending when it aborts. The promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined
}

/** The greatest number of a byte. */
const MOST = Number.MAX_SAFE_INTEGER - 1

const NAMES: ReadonlySet<string> = new Set(['start', 'end', 'signal'])

/**
 * Sends a file, or a part of it, as it is. At most 256 KiB at a time are read, by Node's thread pool, and the next piece is
 * read while the last one is sent. Nothing else can be written meanwhile: `write` throws `ERR_PIPED`, and `broadcast`
 * leaves the connection out.
 *
 * Once a byte was sent, the peer expects the rest: if the rest cannot be sent, the connection is reset.
 *
 * @param path the path or URL of a regular file
 * @returns the number of bytes, once all of them are written. `conn.flushed()` tells when the kernel has them
 * @throws `ERR_INVALID_OPTION`; `ERR_UNSUPPORTED` if the connection's framing is not `raw`; `ERR_PIPED` if it is piped, or
 *   sends a file already; `ERR_CLOSED`; `ERR_FILE_CHANGED` if the file has become shorter meanwhile; errors of the file
 *   system; the error that the connection closes with. The promise rejects
 * @example
 * ```ts
 * await serve({
 *   listen: 9000,
 *   async open(conn) {
 *     await sendFile(conn, 'README.md')
 *     conn.end()
 *   },
 * })
 * ```
 */
export async function sendFile(
  conn: Conn,
  path: PathLike,
  options: SendFileOptions = {},
): Promise<number> {
  checkNames(options, NAMES, ' of sendFile')
  const start = whole('start', options.start, 0, 0, MOST)
  const last = whole('end', options.end, MOST, 0, MOST)
  if (options.end !== undefined && last < start)
    throw invalidOption('end', 'at least start', options.end)
  const { signal } = options
  checkSignal(signal)
  signal?.throwIfAborted()
  const sender = checkSender(conn)
  // From here on, so that nothing can be written between this call and the first byte.
  sender.flags |= SENDING_FILE
  sender.pendingPromises++
  const written = sender.written
  try {
    const file = await open(path)
    try {
      const stats = await file.stat()
      if (!stats.isFile()) throw invalidOption('the path', 'the path of a regular file', path)
      const end = Math.max(start, Math.min(last + 1, stats.size))
      await unlessAborted(signal, sendRange(sender, file, { start, end }))
      return end - start
    } finally {
      await file.close()
    }
  } catch (thrown) {
    // The peer must not take what it has for all.
    if (sender.written > written) sender.reset(toError(thrown))
    throw thrown
  } finally {
    sender.flags &= ~SENDING_FILE
    drainedAfterFile(sender)
    promiseSettled(sender)
  }
}

function checkSender(conn: Conn): ConnImpl {
  if (!(conn instanceof ConnImpl)) throw invalidOption('the first argument', 'a connection', conn)
  if (conn.flags & TAKEN && !(conn.flags & CLOSED)) throw connPiped()
  if (conn.flags & SENDING_FILE) throw connSendsFile()
  if (conn.flags & OUTPUT_OVER) throw conn.coldState().endError()
  const { kind } = conn.profile.framing
  if (kind !== 'raw') {
    throw new MillraceError(
      'ERR_UNSUPPORTED',
      `a file is sent as it is, which needs raw framing, not ${kind}`,
    )
  }
  return conn
}
