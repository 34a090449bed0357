// @ts-check
/** One database: keys, their values, and when they end. */

/** @import { Bytes } from './reply.js' */

/** Keys looked at between two looks at the clock while sweeping. */
const SWEEP_BATCH = 64
/** Sweeping takes no longer than this at a time, in milliseconds. */
const SWEEP_TIME = 2
/** Milliseconds between two sweeps. */
const SWEEP_INTERVAL = 100

/** Keys are latin1 text. A key past its deadline is gone for everybody who asks. */
export class Store {
  /** @type {Map<string, Bytes>} */
  #values = new Map()
  /** Milliseconds since 1970, of the keys that end. @type {Map<string, number>} */
  #deadlines = new Map()
  /** Where the sweep goes on. */
  #next = this.#deadlines.entries()
  /** Runs while there are keys that end. @type {NodeJS.Timeout | undefined} */
  #timer

  /** As Redis counts: with keys past their deadline that nobody has asked for yet. */
  get size() {
    return this.#values.size
  }

  /** Keys that end at some time. */
  get ending() {
    return this.#deadlines.size
  }

  /** @param {string} key */
  get(key) {
    if (this.#deadlines.size > 0) this.#expire(key)
    return this.#values.get(key)
  }

  /** @param {string} key */
  has(key) {
    return this.get(key) !== undefined
  }

  /**
   * Sets a value that does not end, or ends at `deadline`.
   *
   * @param {string} key
   * @param {Bytes} value
   * @param {number} [deadline]
   */
  set(key, value, deadline) {
    this.#values.set(key, value)
    if (deadline !== undefined || this.#deadlines.size > 0) this.endAt(key, deadline)
  }

  /**
   * Changes a value that was just got; it ends when it did.
   *
   * @param {string} key
   * @param {Bytes} value
   */
  replace(key, value) {
    this.#values.set(key, value)
  }

  /** @param {string} key */
  delete(key) {
    const isThere = this.has(key)
    this.#values.delete(key)
    this.#deadlines.delete(key)
    return isThere
  }

  /** @param {string} key */
  deadline(key) {
    return this.#deadlines.get(key)
  }

  /**
   * @param {string} key one that is there
   * @param {number | undefined} deadline
   */
  endAt(key, deadline) {
    if (deadline === undefined) {
      this.#deadlines.delete(key)
      return
    }
    this.#deadlines.set(key, deadline)
    this.#timer ??= setTimeout(() => this.#sweepAgain(), SWEEP_INTERVAL).unref()
  }

  clear() {
    this.#values.clear()
    this.#deadlines.clear()
  }

  /** @param {string} key */
  #expire(key) {
    const deadline = this.#deadlines.get(key)
    if (deadline === undefined || Date.now() <= deadline) return
    this.#values.delete(key)
    this.#deadlines.delete(key)
  }

  #sweepAgain() {
    this.sweep()
    if (this.#deadlines.size > 0) this.#timer?.refresh()
    else this.#timer = undefined
  }

  /** Drops keys past their deadline, a part of them at a time; the next call goes on there. */
  sweep() {
    const now = Date.now()
    const until = performance.now() + SWEEP_TIME
    do {
      for (let count = 0; count < SWEEP_BATCH; count++) {
        const { done, value } = this.#next.next()
        if (done) {
          this.#next = this.#deadlines.entries()
          return
        }
        const [key, deadline] = value
        if (now > deadline) this.delete(key)
      }
    } while (performance.now() < until)
  }
}
