/** The runner: `npm run bench -- SUITE`. Tables go to stdout, progress to stderr, raw values to JSON. */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fine } from './format.mjs'
import { build, ROOT } from './load.mjs'
import { describe, machine } from './machine.mjs'
import { parse, USAGE, UsageError } from './options.mjs'
import { summary, verdict, verdicts } from './report.mjs'
import { play } from './rounds.mjs'
import { connect } from './suites/connect.mjs'
import { echo, unix } from './suites/echo.mjs'
import { fairness } from './suites/fairness.mjs'
import { hostile } from './suites/hostile.mjs'
import { memory } from './suites/memory.mjs'
import { proxies } from './suites/proxy.mjs'
import { timeouts } from './suites/timeouts.mjs'
import { udp } from './suites/udp.mjs'
import { against, BEFORE } from './variants.mjs'

/** @typedef {import('./rounds.mjs').Scenario} Scenario */

/**
 * @typedef {object} Suite
 * @property {string} name
 * @property {number} rounds how often each variant is measured by default
 * @property {readonly Scenario[]} scenarios
 */

/** @type {readonly Suite[]} */
const SUITES = [echo, unix, connect, fairness, memory, udp, proxies, timeouts, hostile]

/** Checks that millrace is built, because the servers import the build. */
function checkBuilt() {
  const isBuilt =
    existsSync(join(ROOT, 'index.js')) &&
    existsSync(join(ROOT, 'native.cjs')) &&
    readdirSync(ROOT).some((file) => file.startsWith('millrace.') && file.endsWith('.node'))
  if (!isBuilt) throw new Error('millrace is not built: npm run build')
}

/**
 * @param {readonly string[] | undefined} names
 * @param {readonly { name: string }[]} known
 */
function checkNames(names, known) {
  const all = new Set(known.map(({ name }) => name))
  const unknown = names?.find((name) => !all.has(name))
  if (unknown !== undefined)
    throw new UsageError(`there is no ${unknown}, only ${[...all].join(', ')}`)
}

/**
 * Adds the ratio to the other checkout beside the first value of a scenario, and the spread of that ratio.
 *
 * @param {readonly import('./report.mjs').Column[]} columns
 * @returns {readonly import('./report.mjs').Column[]}
 */
function withBefore(columns) {
  const [first, ...others] = columns
  if (first === undefined) return columns
  const ratio = { value: first.value, over: `*${BEFORE}`, format: fine }
  return [
    first,
    { ...ratio, title: '× before' },
    { ...ratio, title: 'min–max', spread: true },
    ...others,
  ]
}

/** @param {import('./options.mjs').Options} options */
async function run(options) {
  const suites = SUITES.filter(({ name }) => options.suite === 'all' || options.suite === name)
  if (suites.length === 0) throw new UsageError(`there is no suite ${options.suite}`)
  const scenarios = suites.flatMap((suite) => suite.scenarios)
  checkNames(options.only, scenarios)
  checkNames(
    options.variants,
    scenarios.flatMap((scenario) => scenario.variants),
  )
  checkBuilt()
  build()

  const where = machine()
  console.log(`${describe(where)}\n`)
  /** @type {Record<string, unknown>} */
  const results = {}
  const failures = []
  for (const suite of suites) {
    const settings = { rounds: options.rounds ?? suite.rounds, seconds: options.seconds }
    for (const scenario of suite.scenarios) {
      if (options.only?.includes(scenario.name) === false) continue
      const wanted = scenario.variants.filter(
        ({ name }) => options.variants?.includes(name) ?? true,
      )
      const variants = against(wanted, options.against)
      const columns =
        options.against === undefined ? scenario.columns : withBefore(scenario.columns)
      const outcome = await play(scenario, variants, settings)
      failures.push(...outcome.failures)
      console.log(`## ${scenario.title}\n\n${summary(columns, outcome.rounds)}\n`)
      if (scenario.targets.length > 0)
        console.log(`${verdicts(scenario.targets, outcome.rounds)}\n`)
      const targets = scenario.targets.map((target) => verdict(target, outcome.rounds))
      results[`${suite.name}/${scenario.name}`] = {
        title: scenario.title,
        settings,
        targets,
        ...outcome,
      }
    }
  }
  if (failures.length > 0)
    console.log(`## Failures\n\n${failures.map((each) => `- ${each}`).join('\n')}\n`)
  save(options, { machine: where, results })
  return failures.length === 0 ? 0 : 1
}

/**
 * @param {import('./options.mjs').Options} options
 * @param {{ machine: Record<string, any>, results: unknown }} values
 */
function save({ suite, json }, values) {
  const date = values.machine.date.replaceAll(/[:.]/g, '-')
  const file = json ?? join(ROOT, `benchmark/results/${suite}-${date}.json`)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(values, undefined, 2)}\n`)
  console.error(`raw values: ${file}`)
}

try {
  const options = parse(process.argv.slice(2))
  if (options.help) console.log(USAGE)
  else process.exitCode = await run(options)
} catch (error) {
  const isUsage = error instanceof UsageError
  console.error(isUsage ? `${error.message}\n\n${USAGE}` : error)
  process.exitCode = isUsage ? 2 : 1
}
