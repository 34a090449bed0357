/** Interrupts code that awaits one thing after the other. */

/** Can be halted once, at any time. Keeps at most the last thing that was awaited. */
export class Halt {
  #error: { readonly reason: unknown } | undefined
  /** Rejects what is awaited now. */
  #reject: ((reason: unknown) => void) | undefined

  /** From now on, everything that is awaited rejects with this reason. */
  readonly halt = (reason: unknown): void => {
    if (this.#error !== undefined) return
    this.#error = { reason }
    this.#reject?.(reason)
    this.#reject = undefined
  }

  /** Throws the reason if it has been halted. */
  check(): void {
    if (this.#error !== undefined) throw this.#error.reason
  }

  /** Settles as the promise does, or rejects as soon as it is halted. One at a time. */
  wait<T>(promise: PromiseLike<T> | T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) reject(this.#error.reason)
      else this.#reject = reject
      // Not `Promise.race` with a promise that lives long: that would keep each value until its end.
      Promise.resolve(promise).then(resolve, reject)
    })
  }
}
