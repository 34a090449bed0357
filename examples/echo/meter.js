// @ts-check
/** A line that tells once a second what a server is doing. */

/** @import { ServerStats } from 'millrace' */

/** On a terminal the line is rewritten in place; elsewhere it is printed when it changes. */
export class Meter {
  /** Counted up by whoever handles messages. */
  messages = 0
  #shown = ''
  /** @type {NodeJS.Timeout | undefined} */
  #timer

  /** @param {{ stats(): ServerStats }} server */
  start(server) {
    let before = this.messages
    let then = performance.now()
    this.#timer = setInterval(() => {
      const now = performance.now()
      const rate = Math.round(((this.messages - before) * 1000) / (now - then))
      before = this.messages
      then = now
      const loops = server.stats().loops.map(({ opened, closed }) => opened - closed)
      this.#show(`connections per loop: ${loops.join(' ')} | messages/s: ${rate}`)
    }, 1000)
  }

  stop() {
    clearInterval(this.#timer)
  }

  /** @param {string} text */
  #show(text) {
    const { stdout } = process
    if (stdout.isTTY) stdout.write(`\r${text.padEnd(this.#shown.length)}`)
    else if (text !== this.#shown) stdout.write(`${text}\n`)
    this.#shown = text
  }
}
