/** Counts events, so that specs can wait without a clock. */

/** A counter, with promises that resolve when it reaches a value. */
export class Count {
  value = 0
  #waits: { at: number; resolve: () => void }[] = []

  up(): void {
    this.value++
    for (const wait of this.#waits) if (this.value >= wait.at) wait.resolve()
    this.#waits = this.#waits.filter((wait) => this.value < wait.at)
  }

  /** Resolves once the value is `at` or more. */
  reaches(at: number): Promise<void> {
    if (this.value >= at) return Promise.resolve()
    return new Promise((resolve) => this.#waits.push({ at, resolve }))
  }
}
