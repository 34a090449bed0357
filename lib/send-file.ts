/** `sendFile`, which sends a file or a part of it. */

import { constants, type PathLike, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { Conn } from './connection/conn.js'
import { ConnImpl } from './connection/conn-impl.js'
import { fileEnded } from './connection/ending.js'
import { rangeOf, sendRange } from './connection/file-sending.js'
import { DRAIN_ASKED, DRAIN_OWED, SENDING_FILE } from './connection/flags.js'
import { beginPromise } from './connection/handler-watch.js'
import { checkOutput, haltWithOutput } from './connection/output-halt.js'
import { sendControl } from './connection/send-control.js'
import { invalidOption, MillraceError, toError } from './errors.js'
import { KIND_FILE_BEGUN } from './native/record.js'
import { checkSignal } from './util/abort-signal.js'
import { checkNames, requiredWhole, whole } from './util/checks.js'
import type { Halt } from './util/halt.js'

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
  /** The last byte to send, which the file has to have. Default: the last byte of the file. */
  end?: number | undefined
  /** Stops sending when it aborts. The promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined
}

/** The highest position of a byte: one more is still a safe integer. */
const LAST_BYTE = Number.MAX_SAFE_INTEGER - 1

const NAMES: ReadonlySet<string> = new Set(['start', 'end', 'signal'])

/**
 * Sends a file, or a part of it, as it is. At most 256 KiB at a time are read, by Node's thread pool, and the next piece is
 * read while the last one is sent. Nothing else can be written meanwhile: `write` throws `ERR_PIPED`, and `broadcast`
 * leaves the connection out.
 *
 * `end()` and `close()` wait for it. Once a byte was sent, the peer expects the rest: if the rest cannot be sent, the
 * connection is reset, and `destroy()` resets it, too. The connection counts as served by a handler that has not settled.
 *
 * @param file the path or URL of a regular file, or an open file, which stays open, and whose position is not used
 * @returns the number of bytes, once all of them are written. `conn.flushed()` tells when the kernel has them
 * @throws `ERR_INVALID_OPTION`; `ERR_UNSUPPORTED` if the connection's framing is not `raw`; `ERR_PIPED` if it is piped or a
 *   stream, or sends a file already; `ERR_CLOSED`; `ERR_NOT_A_FILE` for a directory, a FIFO or a device; `ERR_FILE_TOO_SHORT` if the file ends before
 *   `start` or `end`; `ERR_FILE_CHANGED` if it becomes shorter meanwhile; errors of the file system; the error that the connection closes with. The promise rejects
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
  file: PathLike | FileHandle,
  options: SendFileOptions = {},
): Promise<number> {
  checkNames(options, NAMES, ' of sendFile')
  const start = whole('start', options.start, 0, 0, LAST_BYTE)
  const last =
    options.end === undefined ? undefined : requiredWhole('end', options.end, 0, LAST_BYTE)
  if (last !== undefined && last < start) throw invalidOption('end', 'at least start', last)
  const { signal } = options
  checkSignal(signal)
  signal?.throwIfAborted()
  const sender = checkSender(conn)
  // From here on, so that nothing can be written between this call and the first byte.
  sender.flags |= sender.flags & DRAIN_ASKED ? SENDING_FILE | DRAIN_OWED : SENDING_FILE
  sendControl(sender, KIND_FILE_BEGUN)
  const late = beginPromise(sender)
  const { halt, release } = haltWithOutput(sender, signal)
  // Not told by `written`: inside `encode`, the message is not counted yet.
  let hasBegun = false
  try {
    const handle = isHandle(file) ? file : await openFile(file, halt)
    try {
      const stats = await halt.wait(handle.stat())
      if (!stats.isFile())
        throw new MillraceError(
          'ERR_NOT_A_FILE',
          `only regular files can be sent, not ${kindOf(stats)}`,
        )
      const range = rangeOf(stats.size, start, last)
      await sendRange(sender, handle, range, halt, () => {
        hasBegun = true
      })
      return range.end - range.start
    } finally {
      if (handle !== file) await handle.close()
    }
  } catch (thrown) {
    // The peer must not take what it has for all.
    if (hasBegun) sender.reset(toError(thrown))
    throw thrown
  } finally {
    release()
    // The caller's context is not that of the connection's handlers.
    sender.scope.runInAsyncScope(fileEnded, undefined, sender, late)
  }
}

function isHandle(file: PathLike | FileHandle): file is FileHandle {
  // The class is not exported by Node.
  return typeof (file as FileHandle | null)?.stat === 'function'
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory'
  return stats.isFIFO() ? 'a FIFO' : 'a device or a socket'
}

/** Opens a file. A FIFO without a writer must not block a thread of the pool for ever. */
async function openFile(path: PathLike, halt: Halt): Promise<FileHandle> {
  const opening = open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    return await halt.wait(opening)
  } catch (thrown) {
    opening.then((file) => file.close()).catch(() => {})
    throw thrown
  }
}

function checkSender(conn: Conn): ConnImpl {
  if (!(conn instanceof ConnImpl)) throw invalidOption('the first argument', 'a connection', conn)
  checkOutput(conn)
  const { kind } = conn.profile.framing
  if (kind !== 'raw') {
    throw new MillraceError(
      'ERR_UNSUPPORTED',
      `a file is sent as it is, which needs raw framing, not ${kind}`,
    )
  }
  return conn
}
