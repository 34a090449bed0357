/** All loop sockets of a datagram socket: one on each of its loops. */

import type { DatagramCounts, SettingInit } from '../native/binding.js'
import type { DatagramInfoImpl } from './datagram-info.js'
import type { DatagramSocketOptions } from './datagram-live-options.js'
import type { LoopSocket } from './loop-socket.js'

/** The loop sockets of one datagram socket. */
export class LoopSockets {
  readonly #all: readonly LoopSocket[]

  constructor(all: readonly LoopSocket[]) {
    this.#all = all
  }

  /** Whether at least one of them is open, or about to open. */
  get isAlive(): boolean {
    return this.#all.some((socket) => socket.isAlive)
  }

  /** Whether at least one of them has yet to answer that there is room again. */
  get isDrainPending(): boolean {
    return this.#all.some((socket) => socket.isDrainPending)
  }

  get first(): LoopSocket | undefined {
    return this.#all[0]
  }

  get firstOpen(): LoopSocket | undefined {
    return this.#all.find((socket) => socket.isOpen)
  }

  /** Returns whether a loop socket other than this one is left. */
  hasOther(excluded: LoopSocket | undefined): boolean {
    return this.#all.some((socket) => socket !== excluded && socket.isAlive)
  }

  /** Hands each loop socket to its loop. */
  open(): Promise<void>[] {
    return this.#all.map((socket) => socket.open())
  }

  /** Closes each loop socket, once the kernel has taken what waits. */
  end(): void {
    for (const socket of this.#all) socket.end()
  }

  /** Sends a record without a payload to each loop that is left. */
  control(kind: number): void {
    for (const socket of this.#all) if (socket.isOpen) socket.control(kind)
  }

  /**
   * Chooses the loop socket to send from. An answer uses the loop socket that received the question. Other
   * datagrams are spread by address, so that the datagrams to one peer stay in order.
   */
  choose(peer: DatagramInfoImpl): LoopSocket {
    const all = this.#all
    const count = all.length
    if (count === 1) return all[0] as LoopSocket
    const { loopSocket } = peer.arrival
    const preferred = loopSocket >= 0 ? loopSocket : hash(peer)
    for (let step = 0; step < count; step++) {
      const socket = all[(preferred + step) % count] as LoopSocket
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

  /** Returns the sums of all counts. */
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

/** Hashes an address, so that the lowest bits of the result depend on all bits of the address. */
function hash({ a, b, c, d, head }: DatagramInfoImpl): number {
  const all = a ^ b ^ c ^ d ^ head
  return Math.imul(all ^ (all >>> 16), 0x9e3779b1) >>> 16
}
