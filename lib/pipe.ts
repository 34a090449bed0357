/** `pipe`, which joins two connections. */

import { checkTakable } from './connection/check-takable.js'
import type { Conn } from './connection/conn.js'
import type { ConnImpl } from './connection/conn-impl.js'
import { CLOSED, ENDING } from './connection/flags.js'
import { lossOf, Pipe, type PipeEnd, type PipeOptions, pipeBroken } from './connection/pipe.js'
import { MillraceError, toError } from './errors.js'
import { checkSignal, onAbort, unlessAborted } from './util/abort-signal.js'
import { checkNames, flag } from './util/checks.js'

const NAMES: ReadonlySet<string> = new Set(['half', 'signal'])

/**
 * Joins two connections: what one receives is sent to the other, both ways, with backpressure, until both have
 * ended. Bytes are passed on as they come, without regard to frames, and the codecs are not used any more. What was
 * received and not delivered yet goes first, exactly as it came from the wire.
 *
 * The peer's FIN of one side ends the output of the other. If one side is lost, the other one is reset, even if that
 * was before the call. While they are piped, `write`, `pause`, pulling and another `codec` throw `ERR_PIPED`; the
 * handlers `message`, `end`, `idle` and `drain` do not run, and `close` does. `end`, `close`, `destroy`, `reset` and limits in
 * time work as always, and both connections count as served by a handler that has not settled.
 *
 * @returns a promise that resolves once both connections are closed
 * @throws `ERR_INVALID_OPTION`, `ERR_PIPED` if one of them is piped or a stream already, or sends a file, `ERR_CLOSED` if your half of one of them
 *   has ended and it is still open: the promise rejects, and both go on. It also rejects with the reason of the signal
 * @example
 * ```ts
 * await serve({
 *   listen: 8080,
 *   allowHalfOpen: true,
 *   async open(client) {
 *     const upstream = await connect({ to: 9000, loop: client, allowHalfOpen: true })
 *     const { forth, back } = await pipe(client, upstream)
 *     console.log(`${forth} bytes there, ${back} back`)
 *   },
 * })
 * ```
 */
export async function pipe(a: Conn, b: Conn, options: PipeOptions = {}): Promise<PipeEnd> {
  checkNames(options, NAMES, ' of pipe')
  const half = flag('half', options.half, true)
  const { signal } = options
  checkSignal(signal)
  signal?.throwIfAborted()
  const first = checkTakable('the first argument', a)
  const second = checkTakable('the second argument', b)
  if (first === second)
    throw new MillraceError('ERR_INVALID_OPTION', 'a connection cannot be piped to itself')
  const lost = [first, second].find((conn) => conn.flags & ENDING)
  if (lost !== undefined) {
    const other = lost === first ? second : first
    const ignore = signal && onAbort(signal, () => other.destroy(toError(signal.reason)))
    return unlessAborted(signal, endOther(lost, other)).finally(ignore)
  }
  const joined = new Pipe(first, second, half)
  const ignore = signal && onAbort(signal, () => joined.abort(signal.reason))
  try {
    return await joined.ended.promise
  } finally {
    ignore?.()
  }
}

/** One of them is gone already: ends the other one as if they had been piped. */
async function endOther(lost: ConnImpl, other: ConnImpl): Promise<PipeEnd> {
  const closed = [lost, other]
    .filter(({ flags }) => !(flags & CLOSED))
    .map((conn) => conn.coldState().closed.promise())
  const error = lost.cold?.error
  const loss = lossOf(lost)
  if (loss === undefined) other.close()
  else other.reset(error === undefined ? loss : pipeBroken(error))
  await Promise.all(closed)
  return { forth: 0, back: 0, error: loss ?? lossOf(lost) ?? lossOf(other) }
}
