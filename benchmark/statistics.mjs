/** What several rounds come to: medians, spreads, and ratios taken round by round. */

/**
 * The middle value; of an even number the mean of the middle two. `undefined` of none.
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
 * The smallest value that at least the part `quantile` of all does not exceed.
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
 * The least and the greatest value.
 *
 * @param {readonly number[]} values
 * @returns {[number, number] | undefined}
 */
export function spread(values) {
  return values.length === 0 ? undefined : [Math.min(...values), Math.max(...values)]
}

/** A round's measurement: numbers by name; missing where the round failed. */
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
 * Ratios of what was measured in the same round: what slows a machine for a while slows both. Rounds
 * that one side lacks are left out.
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
