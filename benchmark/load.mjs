/** The load generator: built if needed, run once for each measurement. */

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ended, start } from './processes.mjs'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SOURCE = join(ROOT, 'crates/load')
const TARGET = resolve(ROOT, process.env.CARGO_TARGET_DIR ?? 'target')
export const LOAD = join(
  TARGET,
  'release',
  process.platform === 'win32' ? 'millrace-load.exe' : 'millrace-load',
)

/** Builds the load generator if it is missing or older than its source. */
export function build() {
  if (existsSync(LOAD) && statSync(LOAD).mtimeMs >= newest(SOURCE)) return
  console.error('building the load generator: cargo build --release -p millrace-load')
  const { status } = spawnSync('cargo', ['build', '--release', '-p', 'millrace-load'], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0 || !existsSync(LOAD)) throw new Error('the load generator could not be built')
}

/** @param {string} folder */
function newest(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return Math.max(
    ...files.map((file) => statSync(join(file.parentPath ?? file.path, file.name)).mtimeMs),
  )
}

/**
 * Turns options into arguments: `{ size: 64 }` becomes `--size 64`.
 *
 * @param {Record<string, unknown>} options
 */
function flags(options) {
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
}

/**
 * Runs a command of the load generator to its end.
 *
 * @param {string} command
 * @param {Record<string, unknown>} options
 * @param {number} patience seconds after which the command is killed
 */
async function run(command, options, patience) {
  const child = start(LOAD, [command, ...flags(options)])
  const timer = setTimeout(() => child.kill('SIGKILL'), patience * 1e3)
  let out = ''
  let complaint = ''
  child.stdout.on('data', (/** @type {Buffer} */ chunk) => (out += chunk))
  child.stderr.on('data', (/** @type {Buffer} */ chunk) => (complaint += chunk))
  const end = await ended(child)
  clearTimeout(timer)
  const last = out.trim().split('\n').at(-1) ?? ''
  return { end, last, fault: `${command} ended with ${end}: ${complaint.trim() || out.trim()}` }
}

/**
 * Runs a command of the load generator, which must not meet an error.
 *
 * @param {string} command
 * @param {Record<string, unknown>} options
 * @param {number} patience seconds after which the command is killed
 * @returns {Promise<any>} the last line it prints
 * @throws with the output of the command, if not everything came back as it was sent
 */
export async function load(command, options, patience) {
  const { end, last, fault } = await run(command, options, patience)
  if (end !== 0) throw new Error(fault)
  return JSON.parse(last)
}

/**
 * The same where errors are part of the result. What they are goes to stderr.
 *
 * @param {string} command
 * @param {Record<string, unknown>} options
 * @param {number} patience seconds after which the command is killed
 * @returns {Promise<any>} the last line it prints, with the number of `errors`
 * @throws if the command did not get as far as a result
 */
export async function loadWithErrors(command, options, patience) {
  const { end, last, fault } = await run(command, options, patience)
  if (end !== 0) console.error(fault)
  if (!last.startsWith('{')) throw new Error(fault)
  return JSON.parse(last)
}

/** Idle connections, held by the load generator's `idle`. */
export class Crowd {
  #child
  #lines

  /** @param {string} address */
  constructor(address) {
    this.#child = start(LOAD, ['idle', '--address', address])
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /**
   * Opens that many more connections, with one echo each.
   *
   * @param {number} more
   */
  async open(more) {
    this.#child.stdin.write(`open ${more}\n`)
    const { value } = await this.#lines.next()
    const { open, errors } = JSON.parse(value ?? '{ "errors": "no answer" }')
    if (errors !== 0) throw new Error(`idle connections: ${errors} errors, ${open} open`)
    return open
  }

  async close() {
    const end = ended(this.#child)
    this.#child.stdin.end('quit\n')
    await end
  }
}

/** Clients that mean no good: the load generator's `attack`. */
export class Attack {
  #child
  #lines

  /** @param {Record<string, unknown>} options */
  constructor(options) {
    this.#child = start(LOAD, ['attack', ...flags(options)])
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /**
   * What they have done so far.
   *
   * @typedef {{ connected: number, reset: number, cut: number, failed: number, bytes: number, open: number }} Counts
   * @returns {Promise<Counts>}
   */
  counts() {
    return this.#tell('counts')
  }

  /** @param {string} order */
  async #tell(order) {
    this.#child.stdin.write(`${order}\n`)
    const { value } = await this.#lines.next()
    if (value === undefined) throw new Error('the attack has ended by itself')
    return JSON.parse(value)
  }

  /** Ends the attack. Returns what was done in all. */
  async stop() {
    const end = ended(this.#child)
    const counts = await this.#tell('quit')
    await end
    return counts
  }
}
