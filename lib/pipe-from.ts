/** `pipeFrom`, which writes all messages of a source. */

import type { Conn } from './connection/conn.js'
import { ConnImpl } from './connection/conn-impl.js'
import { promiseSettled } from './connection/end-of-input.js'
import { CLOSED } from './connection/flags.js'
import { invalidOption } from './errors.js'
import { checkSignal, onAbort } from './util/abort-signal.js'
import { checkNames, flag } from './util/checks.js'
import { deferred } from './util/deferred.js'

/**
 * Options of `pipeFrom`.
 *
 * @example
 * ```ts
 * async function answer(conn: Conn, rows: AsyncIterable<string>, signal: AbortSignal) {
 *   const options: PipeFromOptions = { end: false, signal }
 *   await pipeFrom(conn, rows, options)
 * }
 * ```
 */
export interface PipeFromOptions {
  /** Whether `conn.end()` is called after the last message. Default true. */
  end?: boolean | undefined
  /** Stops when it aborts. The promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined
}

const NAMES: ReadonlySet<string> = new Set(['end', 'signal'])

/**
 * Writes all messages of a source, one after the other: of an iterable, an async iterable, or a `Readable` stream of
 * Node. The source is read no faster than the connection sends.
 *
 * The source is closed when the promise rejects: by `destroy()` if it is a stream, otherwise by its iterator's `return()`.
 * The connection stays as it is.
 *
 * @returns a promise that resolves once all messages are written. `conn.flushed()` tells when the kernel has them
 * @throws `ERR_INVALID_OPTION`; what the source throws; what `conn.write` throws; the error that the connection closes
 *   with; `ERR_CLOSED` after `conn.end()` or `conn.close()`. The promise rejects
 * @example
 * ```ts
 * import { createReadStream } from 'node:fs'
 *
 * await serve({
 *   listen: 9000,
 *   open: (conn) => pipeFrom(conn, createReadStream('README.md')),
 * })
 * ```
 */
export async function pipeFrom<Out>(
  // biome-ignore lint/suspicious/noExplicitAny: what a connection receives does not matter
  conn: Conn<any, Out>,
  source: Iterable<Out> | AsyncIterable<Out>,
  options: PipeFromOptions = {},
): Promise<void> {
  checkNames(options, NAMES, ' of pipeFrom')
  const ends = flag('end', options.end, true)
  const { signal } = options
  checkSignal(signal)
  if (!(conn instanceof ConnImpl)) throw invalidOption('the first argument', 'a connection', conn)
  const iterator = iteratorOf(source)
  const stopped = deferred<never>()
  stopped.promise.catch(() => {})
  const ignore = signal && onAbort(signal, () => stopped.reject(signal.reason))
  const closed = () => stopped.reject(conn.coldState().endError())
  conn.pendingPromises++
  try {
    signal?.throwIfAborted()
    if (conn.flags & CLOSED) throw conn.coldState().endError()
    // A source that is silent for ever must not outlive the connection.
    conn.coldState().closed.promise().then(closed, closed)
    for (;;) {
      const { done, value } = await Promise.race([iterator.next(), stopped.promise])
      if (done === true) break
      if (!conn.write(value)) await Promise.race([conn.drained(), stopped.promise])
    }
  } catch (thrown) {
    closeSource(source, iterator)
    throw thrown
  } finally {
    ignore?.()
    promiseSettled(conn)
  }
  if (ends) conn.end()
}

type AnyIterator<T> = Iterator<T> | AsyncIterator<T>

function iteratorOf<T>(source: Iterable<T> | AsyncIterable<T>): AnyIterator<T> {
  const { [Symbol.asyncIterator]: asynchronous } = Object(source) as AsyncIterable<T>
  if (typeof asynchronous === 'function') return asynchronous.call(source)
  const { [Symbol.iterator]: synchronous } = Object(source) as Iterable<T>
  if (typeof synchronous === 'function' && typeof source !== 'string') {
    return synchronous.call(source)
  }
  throw invalidOption('the source', 'an iterable, an async iterable or a Readable', source)
}

/** Tells a source that nobody reads it any more. Does not wait, because a pending read may never end. */
function closeSource(source: unknown, iterator: AnyIterator<unknown>): void {
  const { destroy } = source as { destroy?: unknown }
  if (typeof destroy === 'function') {
    destroy.call(source)
    return
  }
  try {
    Promise.resolve(iterator.return?.()).catch(() => {})
  } catch {
    // What went wrong first is told.
  }
}
