/** Statistics over several rounds: medians, spreads, and ratios taken round by round. */

/**
 * The middle value, or the mean of the middle two. `undefined` if there are no values.
 *
 * @param {readonly number[]} values
 * @returns {number | undefined}
 */
export function median(values) {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * The smallest value that is not exceeded by at least the fraction `quantile` of all values.
 *
 * @param {readonly number[]} values
 * @param {number} quantile from 0 to 1
 * @returns {number | undefined}
 */
export function quantile(values, quantile) {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)]
}

/**
 * The lowest and the highest value.
 *
 * @param {readonly number[]} values
 * @returns {[number, number] | undefined}
 */
export function spread(values) {
  return values.length === 0 ? undefined : [Math.min(...values), Math.max(...values)]
}

/** A round's measurement: numbers by name, or `undefined` if the round failed. */
/** @typedef {Record<string, any> | undefined} Measurement */

/**
 * The values of one name in the rounds that succeeded.
 *
 * @param {readonly Measurement[]} rounds
 * @param {string} name
 * @returns {number[]}
 */
export function valuesOf(rounds, name) {
  return rounds.map((round) => round?.[name]).filter((value) => typeof value === 'number')
}

/**
 * Ratios of values from the same round, because a machine that is slow for a while slows both sides. Rounds
 * that failed on one side are left out.
 *
 * @param {readonly Measurement[]} rounds
 * @param {readonly Measurement[]} others
 * @param {string} name
 * @returns {number[]}
 */
export function ratios(rounds, others, name) {
  return rounds
    .map((round, at) => round?.[name] / others[at]?.[name])
    .filter((ratio) => Number.isFinite(ratio))
}
