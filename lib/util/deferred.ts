/** Promises that are settled from outside. */

/** A promise together with the functions that settle it. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}

/** Makes a promise whose rejection needs no handler: left unawaited, it must not end the process. */
export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise: unawaited(promise), resolve, reject }
}

/** Marks a promise as one that nobody has to await, so that its rejection does not end the process. */
export function unawaited<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/** Hands out one promise to everybody who asks until it is settled, then starts over. */
export class SharedWait {
  #deferred: Deferred<void> | undefined

  /** Whether somebody has asked since the last time it was settled. */
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
