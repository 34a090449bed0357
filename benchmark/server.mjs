/** A server under test, in a separate process. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LOAD } from './load.mjs'
import { ended, start } from './processes.mjs'

/** Milliseconds that a server may take to listen, to answer, and to end. */
const PATIENCE = 10_000
/** Readings of memory that differ by at most this many kB count as the same. */
const SAME_KB = 64

const PEERS = fileURLToPath(new URL('peers', import.meta.url))

/**
 * How a server is started.
 *
 * @typedef {object} Variant
 * @property {string} name shown in the table
 * @property {string} [peer] the server's file in `peers`; without one, the server is the load generator's floor
 * @property {string} [root] the checkout whose peer it is; without one it is this checkout
 * @property {readonly string[]} [args]
 */

export class Server {
  #child
  #lines
  #end
  #complaint = ''
  #isPeer
  /** The process to measure, if the peer has started another one. @type {number | undefined} */
  #pid
  address = ''

  /**
   * @param {Variant} variant
   * @param {readonly string[]} args
   * @param {readonly string[]} nodeArgs
   * @param {readonly string[]} floorArgs
   */
  constructor({ peer, root, args: own = [] }, args, nodeArgs, floorArgs) {
    this.#isPeer = peer !== undefined
    const peers = root === undefined ? PEERS : join(root, 'benchmark', 'peers')
    this.#child =
      peer === undefined
        ? start(LOAD, ['floor', ...floorArgs])
        : start(process.execPath, [...nodeArgs, join(peers, `${peer}`), ...own, ...args])
    this.#child.stderr.on('data', (/** @type {Buffer} */ chunk) => (this.#complaint += chunk))
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    this.#end = ended(this.#child)
  }

  /**
   * Starts a server. Resolves once the server listens.
   *
   * @param {Variant} variant
   * @param {readonly string[]} [args] options of the scenario
   * @param {readonly string[]} [nodeArgs] options of Node
   * @param {readonly string[]} [floorArgs] options for the floor
   */
  static async start(variant, args = [], nodeArgs = [], floorArgs = []) {
    const server = new Server(variant, args, nodeArgs, floorArgs)
    try {
      const line = await server.#line()
      if (!line.startsWith('listening ')) throw new Error(`the server said ${line}`)
      const [, address = '', pid] = line.split(' ')
      server.address = address
      server.#pid = pid === undefined ? undefined : Number(pid)
      return server
    } catch (error) {
      server.#child.kill('SIGKILL')
      throw error
    }
  }

  get pid() {
    return this.#pid ?? /** @type {number} */ (this.#child.pid)
  }

  async #line() {
    const late = wait(PATIENCE, undefined, { ref: false }).then(() => ({ value: undefined }))
    const { value } = await Promise.race([this.#lines.next(), late])
    if (value === undefined)
      throw new Error(`the server is silent or gone: ${this.#complaint.trim()}`)
    return value
  }

  /**
   * Asks a peer a question about itself; the floor answers nothing.
   *
   * @param {string} question
   * @returns {Promise<any>}
   */
  async ask(question) {
    if (!this.#isPeer) return {}
    this.#child.stdin.write(`${question}\n`)
    return JSON.parse(await this.#line())
  }

  /**
   * The server's memory at rest: read from outside after gc(), once three readings are the same. With it comes what a
   * peer says of its memory, in bytes.
   *
   * @returns {Promise<{ rss_kb: number, heap: number, external?: number, array_buffers?: number }>}
   */
  async memory() {
    const readings = []
    for (let attempt = 0; attempt < 20; attempt++) {
      const own = await this.ask('gc')
      await wait(100)
      const rss_kb = this.#rss()
      readings.push(rss_kb)
      const last = readings.slice(-3)
      if (last.length === 3 && Math.max(...last) - Math.min(...last) <= SAME_KB)
        return { rss_kb, heap: 0, ...own }
    }
    throw new Error(`memory does not settle: ${readings.join(', ')} kB`)
  }

  #rss() {
    return this.footprint().rss_kb
  }

  /**
   * What the server holds, read from outside: its memory, the most that it has held so far, and its descriptors.
   *
   * @returns {{ rss_kb: number, peak_kb: number, descriptors: number }}
   */
  footprint() {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    const rss = /^VmRSS:\s+(\d+) kB/m.exec(status)
    const peak = /^VmHWM:\s+(\d+) kB/m.exec(status)
    if (rss === null || peak === null) throw new Error('the server is gone')
    const descriptors = readdirSync(`/proc/${this.pid}/fd`).length
    return { rss_kb: Number(rss[1]), peak_kb: Number(peak[1]), descriptors }
  }

  /** Ends the server. Throws if the server has already ended, or if a peer ends with an error. */
  async stop() {
    const { exitCode, signalCode } = this.#child
    if (exitCode !== null || signalCode !== null) {
      throw new Error(
        `the server ended by itself with ${exitCode ?? signalCode}: ${this.#complaint.trim()}`,
      )
    }
    if (!this.#isPeer) this.#child.kill()
    this.#child.stdin.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE)
    const end = await this.#end
    clearTimeout(timer)
    if (this.#isPeer && end !== 0)
      throw new Error(`the server ended with ${end}: ${this.#complaint.trim()}`)
  }
}
