/** What `pipeFrom` and `sendFile`, which write in several steps, have in common. */

import { connPiped, connSendsFile } from '../native/close-error.js'
import { onAbort } from '../util/abort-signal.js'
import { Halt } from '../util/halt.js'
import type { ConnImpl } from './conn-impl.js'
import { CLOSING, OUTPUT_OVER, SENDING_FILE, TAKEN } from './flags.js'

/**
 * Checks that a connection can be written to.
 *
 * @throws the error that it closes with, `ERR_CLOSED`, or `ERR_PIPED` if its output is somebody else's
 */
export function checkOutput(conn: ConnImpl): void {
  if (conn.flags & (OUTPUT_OVER | CLOSING)) throw conn.coldState().endError()
  if (conn.flags & TAKEN) throw connPiped()
  if (conn.flags & SENDING_FILE) throw connSendsFile()
}

/** Makes a {@link Halt} that is halted when the output is over, or a signal aborts, until `release` is called. */
export function haltWithOutput(
  conn: ConnImpl,
  signal: AbortSignal | undefined,
): { halt: Halt; release: () => void } {
  const halt = new Halt()
  const cold = conn.coldState()
  const stop = () => halt.halt(cold.endError())
  cold.outputStops ??= new Set()
  cold.outputStops.add(stop)
  const ignore = signal && onAbort(signal, () => halt.halt(signal.reason))
  const release = () => {
    ignore?.()
    cold.outputStops?.delete(stop)
  }
  return { halt, release }
}
