/** Received datagrams that wait to be delivered. */

import type { Parked } from '../util/parked-limit.js'
import type { DatagramInfoImpl } from './datagram-info.js'

/** Once so many datagrams were taken, the array is copied without them. */
const MOST_TAKEN = 1024

/** A datagram that waits, with its own copy of the bytes. */
export class ParkedDatagram {
  readonly bytes: Buffer
  readonly from: DatagramInfoImpl

  constructor(bytes: Buffer, from: DatagramInfoImpl) {
    this.bytes = bytes
    this.from = from
  }
}

/** The datagrams that wait in a socket, in order. */
export class ParkedDatagrams implements Parked {
  #items: (ParkedDatagram | undefined)[] = []
  /** The index of the next one. */
  #next = 0
  bytes = 0

  get count(): number {
    return this.#items.length - this.#next
  }

  push(item: ParkedDatagram): void {
    this.#items.push(item)
    this.bytes += item.bytes.length
  }

  /** Takes the next one. */
  take(): ParkedDatagram | undefined {
    const item = this.#items[this.#next]
    if (item === undefined) return undefined
    // A socket in which some always wait must not keep what was taken.
    this.#items[this.#next++] = undefined
    this.bytes -= item.bytes.length
    if (this.#next === this.#items.length || this.#next > MOST_TAKEN) {
      this.#items = this.#items.slice(this.#next)
      this.#next = 0
    }
    return item
  }

  clear(): void {
    this.#items = []
    this.#next = 0
    this.bytes = 0
  }
}
