/** The result of a scenario in Markdown: a table, and whether the targets were met. */

import { median, ratios, spread, valuesOf } from './statistics.mjs'
import { table } from './table.mjs'

/** @typedef {import('./statistics.mjs').Measurement} Measurement */

/**
 * A column: the median of a value, the median of its ratios to another variant, its spread, or its highest value.
 *
 * @typedef {object} Column
 * @property {string} title
 * @property {string} value its name in a measurement
 * @property {(value: number) => string} format
 * @property {string} [over] the variant to divide by, round by round; `*` stands for the row's own name
 * @property {boolean} [spread] the lowest and the highest value instead of the median
 * @property {boolean} [highest] the highest value instead of the median
 */

/**
 * A limit for a variant's median, or for the median of its ratios.
 *
 * @typedef {object} Target
 * @property {string} text
 * @property {string} variant
 * @property {string} value
 * @property {string} [over]
 * @property {number} [least]
 * @property {number} [most]
 * @property {boolean} [highest] a limit for the highest value instead of the median
 */

/** Shown where nothing was measured. */
const NOTHING = '–'

/**
 * @param {Record<string, Measurement[]>} rounds
 * @param {string} variant
 * @param {{ value: string, over?: string }} what
 * @returns {number[]}
 */
function select(rounds, variant, { value, over }) {
  const own = rounds[variant] ?? []
  if (over === undefined) return valuesOf(own, value)
  return ratios(own, rounds[over.replace('*', variant)] ?? [], value)
}

/**
 * One number for several values.
 *
 * @param {readonly number[]} values
 * @param {{ highest?: boolean }} what
 */
function one(values, { highest = false }) {
  return highest ? spread(values)?.[1] : median(values)
}

/**
 * @param {Record<string, Measurement[]>} rounds
 * @param {string} variant
 * @param {Column} column
 */
function cell(rounds, variant, column) {
  const values = select(rounds, variant, column)
  if (column.spread) return spread(values)?.map(column.format).join('–') ?? NOTHING
  const value = one(values, column)
  return value === undefined ? NOTHING : column.format(value)
}

/**
 * The table of a scenario, with a row for each variant.
 *
 * @param {readonly Column[]} columns
 * @param {Record<string, Measurement[]>} rounds
 */
export function summary(columns, rounds) {
  const titles = ['', ...columns.map((column) => column.title)]
  const rows = Object.keys(rounds).map((variant) => [
    variant,
    ...columns.map((column) => cell(rounds, variant, column)),
  ])
  return table(titles, rows)
}

/**
 * Whether a target was met; `undefined` if nothing was measured.
 *
 * @param {Target} target
 * @param {Record<string, Measurement[]>} rounds
 * @returns {{ text: string, measured: number | undefined, met: boolean | undefined }}
 */
export function verdict(target, rounds) {
  const { text, variant, least = -Infinity, most = Infinity } = target
  const measured = one(select(rounds, variant, target), target)
  const met = measured === undefined ? undefined : measured >= least && measured <= most
  return { text, measured, met }
}

/**
 * The targets of a scenario, one line each.
 *
 * @param {readonly Target[]} targets
 * @param {Record<string, Measurement[]>} rounds
 */
export function verdicts(targets, rounds) {
  const lines = targets.map((target) => {
    const { text, measured, met } = verdict(target, rounds)
    if (measured === undefined) return `- not measured: ${text}`
    return `- ${met ? 'met' : '**missed**'}: ${text}: ${measured.toFixed(2)}`
  })
  return lines.join('\n')
}
