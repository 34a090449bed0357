/** Runs a scenario: every variant in every round, each time in a fresh process. */

/** @typedef {import('./server.mjs').Variant} Variant */
/** @typedef {import('./statistics.mjs').Measurement} Measurement */
/** @typedef {import('./report.mjs').Column} Column */
/** @typedef {import('./report.mjs').Target} Target */

/**
 * @typedef {object} Settings
 * @property {number} rounds
 * @property {number} seconds
 */

/**
 * @typedef {object} Scenario
 * @property {string} name for `--only`
 * @property {string} title
 * @property {readonly Variant[]} variants
 * @property {readonly Column[]} columns
 * @property {readonly Target[]} targets
 * @property {(variant: Variant, settings: Settings) => Promise<Record<string, any>>} measure
 */

/**
 * @typedef {object} Outcome
 * @property {Record<string, Measurement[]>} rounds by variant, one for each round
 * @property {string[]} failures
 */

/**
 * The order of a round: every other round is reversed, so that no variant always follows the same one.
 *
 * @template T
 * @param {readonly T[]} variants
 * @param {number} round from 0
 * @returns {T[]}
 */
export function order(variants, round) {
  return round % 2 === 0 ? [...variants] : [...variants].reverse()
}

/** An error message as one line of a list. @param {string} message */
function oneLine(message) {
  return message.replaceAll(/\s+/g, ' ').trim().slice(0, 300)
}

/**
 * @param {Scenario} scenario
 * @param {readonly Variant[]} variants the chosen variants of the scenario
 * @param {Settings} settings
 * @returns {Promise<Outcome>}
 */
export async function play(scenario, variants, settings) {
  /** @type {Record<string, Measurement[]>} */
  const rounds = Object.fromEntries(variants.map(({ name }) => [name, []]))
  const failures = []
  for (let round = 0; round < settings.rounds; round++) {
    for (const variant of order(variants, round)) {
      console.error(`${scenario.name}: round ${round + 1} of ${settings.rounds}, ${variant.name}`)
      let measurement
      try {
        measurement = await scenario.measure(variant, settings)
      } catch (error) {
        const message = oneLine(/** @type {Error} */ (error).message)
        failures.push(`${scenario.name}, round ${round + 1}, ${variant.name}: ${message}`)
        console.error(message)
      }
      rounds[variant.name].push(measurement)
    }
  }
  return { rounds, failures }
}
