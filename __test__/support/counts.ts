/** Counts what events bring, for waits that need no clock. */

/** A number that goes up, and promises for when it gets somewhere. */
export class Count {
  value = 0
  #waits: { at: number; resolve: () => void }[] = []

  up(): void {
    this.value++
    for (const wait of this.#waits) if (this.value >= wait.at) wait.resolve()
    this.#waits = this.#waits.filter((wait) => this.value < wait.at)
  }

  /** Resolves once it is `at` or more. */
  reaches(at: number): Promise<void> {
    if (this.value >= at) return Promise.resolve()
    return new Promise((resolve) => this.#waits.push({ at, resolve }))
  }
}
