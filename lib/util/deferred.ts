/** Promises that are settled from outside. */

/** A promise together with the functions that settle it. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}

/** Makes a promise whose rejection need not be handled: it does not end the process. */
export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((resolvePromise, rejectPromise) => {
    resolve = resolvePromise
    reject = rejectPromise
  })
  return { promise: unawaited(promise), resolve, reject }
}

/** Marks a promise as one that need not be awaited, so that its rejection does not end the process. */
export function unawaited<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/** Gives the same promise to all callers until it is settled, and then a new one. */
export class SharedWait {
  #deferred: Deferred<void> | undefined

  /** Whether a promise was given out that is not settled yet. */
  get isAwaited(): boolean {
    return this.#deferred !== undefined
  }

  promise(): Promise<void> {
    this.#deferred ??= deferred<void>()
    return this.#deferred.promise
  }

  resolve(): void {
    this.#deferred?.resolve()
    this.#deferred = undefined
  }

  reject(error: Error): void {
    this.#deferred?.reject(error)
    this.#deferred = undefined
  }
}
