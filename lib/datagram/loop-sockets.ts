/** All parts of a datagram socket, taken together: one on each of its loops. */

import type { DatagramCounts, SettingInit } from '../native/binding.js'
import type { DatagramInfoImpl } from './datagram-info.js'
import type { LoopSocket } from './loop-socket.js'
import type { DatagramSocketOptions } from './options.js'

/** The loop sockets of one datagram socket. */
export class LoopSockets {
  readonly #all: readonly LoopSocket[]

  constructor(all: readonly LoopSocket[]) {
    this.#all = all
  }

  /** Whether one of them is open, or about to be. */
  get areAlive(): boolean {
    return this.#all.some((socket) => socket.isAlive)
  }

  /** Whether `send` returned `false` on one of them and `drain` did not follow yet. */
  get areAsked(): boolean {
    return this.#all.some((socket) => socket.isAsked)
  }

  get first(): LoopSocket | undefined {
    return this.#all[0]
  }

  get firstOpen(): LoopSocket | undefined {
    return this.#all.find((socket) => socket.isOpen)
  }

  /** Tells whether another one is left. */
  hasOther(than: LoopSocket | undefined): boolean {
    return this.#all.some((socket) => socket !== than && socket.isAlive)
  }

  /** Hands each to its loop. */
  open(): Promise<void>[] {
    return this.#all.map((socket) => socket.open())
  }

  end(): void {
    for (const socket of this.#all) socket.end()
  }

  /** Sends a record without a payload to each loop. */
  control(kind: number): void {
    for (const socket of this.#all) if (socket.isOpen) socket.control(kind)
  }

  /**
   * Chooses the loop socket to send from. An answer goes out where the question came in. Everything else
   * is spread by address, so that the datagrams of one peer stay in order.
   */
  choose(peer: DatagramInfoImpl): LoopSocket {
    const all = this.#all
    const count = all.length
    if (count === 1) return all[0] as LoopSocket
    const at = peer.loopSocket >= 0 ? peer.loopSocket : hash(peer)
    for (let step = 0; step < count; step++) {
      const socket = all[(at + step) % count] as LoopSocket
      if (socket.isOpen) return socket
    }
    return all[0] as LoopSocket
  }

  /**
   * Sets an option on each loop that is left.
   *
   * @returns false if none is left
   * @throws the system's error
   */
  set(setting: SettingInit): boolean {
    return this.#all.filter((socket) => socket.set(setting)).length > 0
  }

  /**
   * Reads options of the first socket that is left.
   *
   * @returns undefined if none is left
   * @throws the system's error
   */
  options(): DatagramSocketOptions | undefined {
    for (const socket of this.#all) {
      const options = socket.options()
      if (options !== undefined) return options
    }
    return undefined
  }

  /** Adds up their counts. */
  counts(): DatagramCounts {
    const sum = {
      received: 0,
      sent: 0,
      bytesRead: 0,
      bytesWritten: 0,
      dropped: 0,
      truncated: 0,
      errors: 0,
    }
    for (const socket of this.#all) {
      const counts = socket.counts()
      sum.received += counts.received
      sum.sent += counts.sent
      sum.bytesRead += counts.bytesRead
      sum.bytesWritten += counts.bytesWritten
      sum.dropped += counts.dropped
      sum.truncated += counts.truncated
      sum.errors += counts.errors
    }
    return sum
  }
}

/** Hashes an address, so that all of its bits count in the lowest bits of the result. */
function hash({ a, b, c, d, head }: DatagramInfoImpl): number {
  const all = a ^ b ^ c ^ d ^ head
  return Math.imul(all ^ (all >>> 16), 0x9e3779b1) >>> 16
}
