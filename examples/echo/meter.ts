/** Prints once a second how many connections and messages a server has. */

import type { ServerStats } from 'millrace'

/** On a terminal the line is rewritten in place; elsewhere a line is printed when it changes. */
export class Meter {
  /** The server's `message` handler adds one for each message. */
  messages = 0
  #shown = ''
  #timer: NodeJS.Timeout | undefined

  start(server: { stats(): ServerStats }): void {
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

  stop(): void {
    clearInterval(this.#timer)
  }

  #show(text: string): void {
    const { stdout } = process
    if (stdout.isTTY) stdout.write(`\r${text.padEnd(this.#shown.length)}`)
    else if (text !== this.#shown) stdout.write(`${text}\n`)
    this.#shown = text
  }
}
