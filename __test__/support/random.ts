/** Seeded random numbers: `MILLRACE_TEST_SEED` repeats a failed run. */

/** The seed of this run, which specs show when they fail. */
export const SEED: number = Number(process.env.MILLRACE_TEST_SEED ?? Date.now() % 1_000_000_007)

export interface Random {
  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number
  /** One of the values. */
  one<T>(values: readonly T[]): T
}

/** A separate generator for each `stream`, so that the draws of one client do not change another's. */
export function random(stream: number): Random {
  let state = (SEED ^ Math.imul(stream + 1, 0x9e3779b1)) >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const whole = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  return { whole, one: (values) => values[whole(0, values.length - 1)] as (typeof values)[number] }
}
