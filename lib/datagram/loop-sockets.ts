/** What a datagram socket has on its loops, taken together. */

import type { DatagramCounts, SettingInit } from '../native/binding.js'
import type { DatagramInfoImpl } from './datagram-info.js'
import type { LoopSocket } from './loop-socket.js'
import type { DatagramSocketOptions } from './options.js'

/** The lanes of one socket, one for each of its loops. */
export class LoopSockets {
  readonly #all: readonly LoopSocket[]

  constructor(all: readonly LoopSocket[]) {
    this.#all = all
  }

  /** One of them is open, or about to be. */
  get areAlive(): boolean {
    return this.#all.some((lane) => lane.isAlive)
  }

  /** One of them said `false`, and has not said `drain`. */
  get areAsked(): boolean {
    return this.#all.some((lane) => lane.isAsked)
  }

  get first(): LoopSocket | undefined {
    return this.#all[0]
  }

  get firstOpen(): LoopSocket | undefined {
    return this.#all.find((lane) => lane.isOpen)
  }

  /** Another one than this is left. */
  hasOther(than: LoopSocket | undefined): boolean {
    return this.#all.some((lane) => lane !== than && lane.isAlive)
  }

  /** Gives each to its loop. */
  open(): Promise<void>[] {
    return this.#all.map((lane) => lane.open())
  }

  end(): void {
    for (const lane of this.#all) lane.end()
  }

  /** Tells the loops of all that are open. */
  tell(kind: number): void {
    for (const lane of this.#all) if (lane.isOpen) lane.control(kind)
  }

  /** An answer goes out where the question came in; anything else by its address, always the same way. */
  choose(peer: DatagramInfoImpl): LoopSocket {
    const lanes = this.#all
    const count = lanes.length
    if (count === 1) return lanes[0] as LoopSocket
    const at = peer.lane >= 0 ? peer.lane : spread(peer)
    for (let step = 0; step < count; step++) {
      const lane = lanes[(at + step) % count] as LoopSocket
      if (lane.isOpen) return lane
    }
    return lanes[0] as LoopSocket
  }

  /**
   * Sets an option on each loop that is left.
   *
   * @returns false if none is
   * @throws the system's error
   */
  set(setting: SettingInit): boolean {
    return this.#all.filter((lane) => lane.set(setting)).length > 0
  }

  /**
   * What the kernel has, of the first that is left; nothing if none is.
   *
   * @throws the system's error
   */
  options(): DatagramSocketOptions | undefined {
    for (const lane of this.#all) {
      const options = lane.options()
      if (options !== undefined) return options
    }
    return undefined
  }

  /** The sums of their counts. */
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
    for (const lane of this.#all) {
      const counts = lane.counts()
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

/** A number of which every bit of an address has a part in the lowest ones. */
function spread({ a, b, c, d, head }: DatagramInfoImpl): number {
  const all = a ^ b ^ c ^ d ^ head
  return Math.imul(all ^ (all >>> 16), 0x9e3779b1) >>> 16
}
