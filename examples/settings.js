// @ts-check
/** What the examples take from the environment. */

/**
 * The port to listen on, from `PORT`; 0 takes any.
 *
 * @param {number} fallback
 */
export function portSetting(fallback) {
  return number('PORT', process.env.PORT, 0, 65_535) ?? fallback
}

/**
 * The event loops, from `LOOPS`: how many threads, or `inline` for none.
 *
 * @param {number | 'inline'} fallback
 */
export function loopsSetting(fallback) {
  if (process.env.LOOPS === 'inline') return 'inline'
  return number('LOOPS', process.env.LOOPS, 1, 128, ", or 'inline'") ?? fallback
}

/**
 * @param {string} name
 * @param {string | undefined} text
 * @param {number} least
 * @param {number} most
 */
function number(name, text, least, most, alternative = '') {
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  const expected = `a whole number from ${least} to ${most}${alternative}`
  console.error(`${name} has to be ${expected}, not ${text}`)
  return process.exit(1)
}
