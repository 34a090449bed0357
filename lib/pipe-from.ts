/** `pipeFrom`, which writes all messages of a source. */

import type { Conn } from './connection/conn.js'
import { ConnImpl } from './connection/conn-impl.js'
import { checkOutput, haltWithOutput } from './connection/output-halt.js'
import { invalidOption } from './errors.js'
import { checkSignal } from './util/abort-signal.js'
import { checkNames, flag } from './util/checks.js'
import { isThenable } from './util/thenable.js'
import { nextTurn, now } from './util/timers.js'

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

/** Milliseconds after which others have their turn. */
const TURN = 2

const NAMES: ReadonlySet<string> = new Set(['end', 'signal'])

/**
 * Writes all messages of a source, one after the other: of an iterable, an async iterable, or a `Readable` stream of
 * Node. The source is read no faster than the connection sends.
 *
 * The source is closed when the promise rejects, also because our half of the connection has ended: by `destroy()` if it is
 * a stream, otherwise by its iterator's `return()`. If it is the source that fails, the connection stays as it is.
 *
 * Return the promise from a handler, or await it there, if the peer's FIN shall not end our half before the last message.
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
  const messages = iteratorOf(source)
  const { halt, release } = haltWithOutput(conn, signal)
  try {
    signal?.throwIfAborted()
    checkOutput(conn)
    let since = now()
    for (;;) {
      const { done, value } = await halt.wait(messages.next())
      if (done === true) break
      // A source that is always ready, and a loop that sends at once, would leave nobody else any time.
      if (now() - since > TURN) {
        await halt.wait(nextTurn())
        since = now()
      }
      halt.check()
      if (!conn.write(value)) await halt.wait(conn.drained())
    }
    if (!ends) return
    checkOutput(conn)
    conn.end()
  } catch (thrown) {
    closeSource(source, messages)
    throw thrown
  } finally {
    release()
  }
}

/** What gives one message after the other. */
interface Messages<T> {
  next(): PromiseLike<IteratorResult<T>> | IteratorResult<T>
  return?(): unknown
}

function iteratorOf<T>(source: Iterable<T> | AsyncIterable<T>): Messages<T> {
  const { [Symbol.asyncIterator]: asynchronous } = Object(source) as AsyncIterable<T>
  if (typeof asynchronous === 'function') return asynchronous.call(source)
  const { [Symbol.iterator]: synchronous } = Object(source) as Iterable<T>
  if (typeof synchronous === 'function' && typeof source !== 'string') {
    return awaiting(synchronous.call(source))
  }
  throw invalidOption('the source', 'an iterable, an async iterable or a Readable', source)
}

/** Awaits the messages of an iterator, as `for await` does. */
function awaiting<T>(iterator: Iterator<T>): Messages<T> {
  return {
    next() {
      const result = iterator.next()
      if (result.done === true || !isThenable(result.value)) return result
      return Promise.resolve(result.value as PromiseLike<T>).then((value) => ({
        done: false,
        value,
      }))
    },
    return: () => iterator.return?.(),
  }
}

/** Tells a source that nobody reads it any more. Does not wait, because a pending read may never end. */
function closeSource(source: unknown, messages: Messages<unknown>): void {
  const { destroy } = source as { destroy?: unknown }
  try {
    const result = typeof destroy === 'function' ? destroy.call(source) : messages.return?.()
    Promise.resolve(result).catch(() => {})
  } catch {
    // What went wrong first is told.
  }
}
