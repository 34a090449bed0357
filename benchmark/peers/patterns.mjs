/** Shared by the servers and the clients of the memory patterns: sizes, and what the servers count. */

import { Buffer } from 'node:buffer'

/** Bytes of the requests and of the replies of `never-read`, `slow-read` and `mass-destroy`. */
export const REQUEST_BYTES = 100
export const REPLY_BYTES = 64 << 10
/** Bytes that `top-up` wants to have waiting for each connection, and how many of them a client reads. */
export const TOP_BYTES = 900_000
export const READ_BYTES = 2 << 20
/** Bytes of a message that `pull-stop` pulls whole, and of all that a client sends. */
export const PULLED_BYTES = 128 << 10
export const SENT_BYTES = 1 << 20
/** Bytes of a message of `park-resume` with its length before it, and how many a client sends. */
export const PARKED_BYTES = 1 << 10
export const PARKED_MESSAGES = 256
/** Bytes of that length. */
export const HEADER_BYTES = 4

/** A new reply each time, as servers have. */
export function reply() {
  return Buffer.allocUnsafe(REPLY_BYTES).fill('x')
}

/**
 * What a server counts, for the runner waits by count: connections that are open now, and those that have got as far as
 * the pattern goes, ever.
 */
export const counts = { open: 0, ready: 0 }

/**
 * Pauses whatever receives something. Resumes all of them once all that are open are paused, but first when it is told
 * to.
 *
 * @template {{ pause(): unknown, resume(): unknown }} Paused
 */
export class Parking {
  /** @type {Set<Paused>} */
  #paused = new Set()
  /** @type {WeakSet<Paused>} */
  #known = new WeakSet()
  #isBegun = false

  /** @param {Paused} conn */
  park(conn) {
    conn.pause()
    this.#paused.add(conn)
    if (!this.#known.has(conn)) {
      this.#known.add(conn)
      counts.ready++
    }
    this.#check()
  }

  /** Call it after the connection is no longer counted as open. @param {Paused} conn */
  left(conn) {
    this.#paused.delete(conn)
    if (counts.open === 0) this.#isBegun = false
    this.#check()
  }

  begin() {
    this.#isBegun = true
    this.#check()
  }

  #check() {
    if (!this.#isBegun || this.#paused.size === 0 || this.#paused.size < counts.open) return
    const all = this.#paused
    this.#paused = new Set()
    setImmediate(() => {
      for (const conn of all) conn.resume()
    })
  }
}
