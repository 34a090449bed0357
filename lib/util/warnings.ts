/** What nobody handles becomes a warning of the process. */

/** Warnings of one code are at least this many milliseconds apart. */
const INTERVAL = 1000

/** The warnings of one server or socket: at most one a second for each code. */
export class Warnings {
  readonly #last = new Map<string, number>()

  warn(error: Error): void {
    const code = (error as NodeJS.ErrnoException).code ?? error.name
    const now = performance.now()
    const last = this.#last.get(code)
    if (last !== undefined && now - last < INTERVAL) return
    this.#last.set(code, now)
    process.emitWarning(error)
  }
}
