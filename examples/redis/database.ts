/** One database: keys with their values, and the times at which keys expire. */

import type { Bytes } from './reply.ts'

/** Expired keys are removed in batches of this many, with a look at the clock after each batch. */
const SWEEP_BATCH = 64
/** Milliseconds that one sweep may take. */
const SWEEP_TIME = 2
/** Milliseconds between two sweeps. */
const SWEEP_INTERVAL = 100

/**
 * Keys are latin1 text. Times are milliseconds since 1970. A key that has expired is never returned,
 * even if no sweep has removed it yet.
 */
export class Database {
  readonly #values = new Map<string, Bytes>()
  readonly #expiries = new Map<string, number>()
  /** Where the next sweep continues. */
  #next = this.#expiries.entries()
  /** Runs while there are keys that expire. */
  #timer: NodeJS.Timeout | undefined

  /** The number of keys. Like Redis, counts expired keys that have not been removed yet. */
  get size(): number {
    return this.#values.size
  }

  /** The number of keys that will expire. */
  get expiring(): number {
    return this.#expiries.size
  }

  get(key: string): Bytes | undefined {
    if (this.#expiries.size > 0) this.#removeIfExpired(key)
    return this.#values.get(key)
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  /** Sets a value that expires at `expiry`, or never. */
  set(key: string, value: Bytes, expiry?: number): void {
    this.#values.set(key, value)
    if (expiry !== undefined || this.#expiries.size > 0) this.expireAt(key, expiry)
  }

  /** Changes a value and leaves its expiry as it is. */
  replace(key: string, value: Bytes): void {
    this.#values.set(key, value)
  }

  /** Removes a key; `false` if there was no such key. */
  delete(key: string): boolean {
    const existed = this.has(key)
    this.#values.delete(key)
    this.#expiries.delete(key)
    return existed
  }

  /** When a key expires; `undefined` if it does not. */
  expiryOf(key: string): number | undefined {
    return this.#expiries.get(key)
  }

  /** Sets when an existing key expires; `undefined` for never. */
  expireAt(key: string, expiry: number | undefined): void {
    if (expiry === undefined) {
      this.#expiries.delete(key)
      return
    }
    this.#expiries.set(key, expiry)
    this.#timer ??= setTimeout(() => this.#sweepAgain(), SWEEP_INTERVAL).unref()
  }

  clear(): void {
    this.#values.clear()
    this.#expiries.clear()
  }

  #removeIfExpired(key: string): void {
    const expiry = this.#expiries.get(key)
    if (expiry === undefined || Date.now() <= expiry) return
    this.#values.delete(key)
    this.#expiries.delete(key)
  }

  #sweepAgain(): void {
    this.sweep()
    if (this.#expiries.size > 0) this.#timer?.refresh()
    else this.#timer = undefined
  }

  /** Removes expired keys until the time is up. The next call continues where this one stopped. */
  sweep(): void {
    const now = Date.now()
    const until = performance.now() + SWEEP_TIME
    do {
      for (let count = 0; count < SWEEP_BATCH; count++) {
        const { done, value } = this.#next.next()
        if (done) {
          this.#next = this.#expiries.entries()
          return
        }
        const [key, expiry] = value
        if (now > expiry) this.delete(key)
      }
    } while (performance.now() < until)
  }
}
