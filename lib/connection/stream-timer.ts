/** `setTimeout` of a connection that is used as a stream. */

import { invalidOption } from '../errors.js'
import { INT } from '../util/checks.js'
import { clearTimeout, setTimeout } from '../util/timers.js'
import type { ConnImpl } from './conn-impl.js'

/** Tells when nothing has moved for a time. */
export class StreamTimer {
  readonly #conn: ConnImpl
  readonly #passed: () => void
  /** The milliseconds; undefined if nobody asked for a time. */
  ms: number | undefined
  #timer: NodeJS.Timeout | undefined
  /** Bytes that waited to be sent when the time was over last. */
  #buffered = 0

  /** @param passed called when the time is over, once until something moves */
  constructor(conn: ConnImpl, passed: () => void) {
    this.#conn = conn
    this.#passed = passed
  }

  /**
   * Begins the time, or stops it.
   *
   * @throws `ERR_INVALID_OPTION`
   */
  set(ms: number): void {
    if (typeof ms !== 'number' || !(ms >= 0) || ms === Number.POSITIVE_INFINITY)
      throw invalidOption('the timeout', 'a number of milliseconds, 0 or more', ms)
    this.stop()
    this.ms = Math.min(ms, INT)
    if (ms === 0) return
    this.#timer = setTimeout(() => this.#look(), this.ms)
    this.#timer.unref()
  }

  /** A byte has moved: the time begins again. */
  renew(): void {
    this.#timer?.refresh()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    const { buffered } = this.#conn
    // The connection tells of output only when it has drained.
    const hasMoved = buffered > 0 && buffered !== this.#buffered
    this.#buffered = buffered
    if (hasMoved) this.renew()
    else this.#passed()
  }
}
