/** The clients of a memory pattern, in a separate process. */

import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ended, start } from './processes.mjs'

const PROGRAM = fileURLToPath(new URL('peers/pattern-clients.mjs', import.meta.url))

export class Clients {
  #child
  #lines
  #complaint = ''

  /**
   * @param {string} pattern
   * @param {string} address
   * @param {number} connections how many come each time
   */
  constructor(pattern, address, connections) {
    const options = { pattern, address, connections: String(connections) }
    const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
    this.#child = start(process.execPath, [PROGRAM, ...flags])
    this.#child.stderr.on('data', (/** @type {Buffer} */ chunk) => (this.#complaint += chunk))
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** Resolves once all of them have connected and done what the pattern asks of a client. */
  arrive() {
    return this.#tell('arrive')
  }

  /** Resolves once all of their connections are closed. */
  leave() {
    return this.#tell('leave')
  }

  /** @param {string} order */
  async #tell(order) {
    this.#child.stdin.write(`${order}\n`)
    const { value } = await this.#lines.next()
    if (value === undefined) throw new Error(`the clients are gone: ${this.#complaint.trim()}`)
  }

  async stop() {
    const end = ended(this.#child)
    this.#child.stdin.end()
    await end
  }
}
