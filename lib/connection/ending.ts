/** Ways to end a connection: our half, both halves, or at once. */

import { toError } from '../errors.js'
import {
  KIND_DESTROY,
  KIND_DISCARD,
  KIND_END,
  KIND_FILE_ENDED,
  KIND_RESET,
} from '../native/record.js'
import { queueMicrotask } from '../util/timers.js'
import type { ConnImpl } from './conn-impl.js'
import { promiseSettled, settleInput } from './end-of-input.js'
import {
  CLOSED,
  CLOSING,
  DESTROYED,
  ENDED,
  ENDING,
  EOF,
  LAST_REPLIES,
  OUTPUT_OVER,
  SENDING_FILE,
} from './flags.js'
import type { LatePromise } from './handler-watch.js'
import { watchPulls } from './pull-linger.js'
import { sendControl } from './send-control.js'
import { drainedAfterFile, write } from './writing.js'

/** See `Conn.end`. */
export function end(conn: ConnImpl, message: unknown): void {
  if (conn.flags & OUTPUT_OVER) return
  if (message !== undefined) {
    write(conn, message)
    // Over `maxWriteBuffer` the connection is destroyed.
    if (conn.flags & DESTROYED) return
  }
  if (conn.flags & SENDING_FILE) {
    conn.coldState().afterFile ??= 'end'
    return
  }
  conn.flags |= ENDED
  sendControl(conn, KIND_END)
  conn.cold?.stopWriting()
  conn.cold?.taker?.outputEnded(conn)
  watchPulls(conn)
  // Not at once: a handler may be running, whose promise counts too.
  if (conn.flags & EOF) queueMicrotask(() => conn.scope.runInAsyncScope(settleInput, conn, conn))
}

/** See `Conn.close`. */
export function close(conn: ConnImpl, message: unknown): void {
  if (conn.flags & ENDING) return
  if (message !== undefined) {
    write(conn, message)
    // Over `maxWriteBuffer` the connection is destroyed.
    if (conn.flags & DESTROYED) return
  }
  if (conn.flags & SENDING_FILE) {
    const cold = conn.coldState()
    cold.afterFile = 'close'
    conn.flags |= CLOSING
    // The loop closes the connection if nothing moves for `lingerTimeout`.
    sendControl(conn, KIND_DISCARD)
    cold.dropInput()
    return
  }
  if (!(conn.flags & ENDED)) sendControl(conn, KIND_END)
  conn.flags |= ENDED | CLOSING
  sendControl(conn, KIND_DISCARD)
  conn.cold?.stopWriting()
  conn.cold?.dropInput()
  conn.cold?.taker?.closing(conn)
}

/** A file was sent, or given up: does what had to wait for that. */
export function fileEnded(conn: ConnImpl, late: LatePromise | undefined): void {
  const cold = conn.coldState()
  const { afterFile } = cold
  cold.afterFile = undefined
  conn.flags &= ~SENDING_FILE
  if (!(conn.flags & (DESTROYED | CLOSED))) {
    sendControl(conn, KIND_FILE_ENDED)
    if (afterFile === undefined) drainedAfterFile(conn)
    else if (afterFile === 'end') end(conn, undefined)
    else {
      sendControl(conn, KIND_END)
      conn.flags |= ENDED
      cold.stopWriting()
    }
  }
  promiseSettled(conn, late)
}

/** See `Conn.destroy`. */
export function destroy(conn: ConnImpl, error: Error | undefined): void {
  // In the middle of a file, the loop makes a reset of it.
  drop(conn, error, KIND_DESTROY)
}

/** See `Conn.reset`. */
export function reset(conn: ConnImpl, error: Error | undefined): void {
  drop(conn, error, KIND_RESET)
}

function drop(conn: ConnImpl, error: Error | undefined, kind: number): void {
  // The user has heard of the end, and the socket is still there for the last replies.
  if (conn.flags & LAST_REPLIES && !conn.eventLoop.isStopped) {
    conn.flags &= ~LAST_REPLIES
    sendControl(conn, kind)
  }
  if (conn.flags & (DESTROYED | CLOSED)) return
  conn.flags |= DESTROYED
  if (error !== undefined) conn.coldState().error = toError(error)
  conn.cold?.stopWriting()
  conn.cold?.dropInput()
  sendControl(conn, kind)
}
