/** Properties with random input: how often they run, and with which seed. */

import fc, { type IAsyncProperty, type IProperty } from 'fast-check'
import { SEED } from './random.js'

/** How much more often than usual properties run, from `MILLRACE_TEST_TIMES`. */
const TIMES = Number(process.env.MILLRACE_TEST_TIMES ?? 1)

/** A run that does not end in this time has failed, and is told with its input. */
const MILLISECONDS = 30_000

/**
 * Fails with the shortest input found for which the property does not hold. `MILLRACE_TEST_SEED` and the seed in the
 * message repeat it.
 */
export async function holds<T>(
  property: IAsyncProperty<T> | IProperty<T>,
  runs: number,
): Promise<void> {
  const numRuns = Math.ceil(runs * TIMES)
  await fc.assert(property, { seed: SEED, numRuns, timeout: MILLISECONDS })
}
