/** Datagrams that were received and not delivered: while a socket is paused, or nobody pulls. */

import type { DatagramInfoImpl } from './datagram-info.js'

/** A datagram that was received and not delivered. */
export interface Parked {
  readonly bytes: Buffer
  readonly from: DatagramInfoImpl
}

/** How much may be parked. */
export interface ParkingLimit {
  readonly bytes: number
  readonly datagrams: number
}

/** Parked datagrams, in order. */
export class DatagramParking {
  #all: Parked[] = []
  /** The first one that is still there. */
  #from = 0
  #bytes = 0
  readonly #limit: ParkingLimit

  constructor(limit: ParkingLimit) {
    this.#limit = limit
  }

  get isEmpty(): boolean {
    return this.#all.length === this.#from
  }

  /** No more is to come. */
  get isFull(): boolean {
    const { bytes, datagrams } = this.#limit
    return this.#bytes >= bytes || this.#all.length - this.#from >= datagrams
  }

  /** At most half of what may be is there: more may come again. */
  get hasRoom(): boolean {
    const { bytes, datagrams } = this.#limit
    return this.#bytes <= bytes / 2 && this.#all.length - this.#from <= datagrams / 2
  }

  push(bytes: Buffer, from: DatagramInfoImpl): void {
    this.#all.push({ bytes, from })
    this.#bytes += bytes.length
  }

  shift(): Parked | undefined {
    const parked = this.#all[this.#from]
    if (parked === undefined) return undefined
    this.#from++
    this.#bytes -= parked.bytes.length
    if (this.#from === this.#all.length || this.#from > 1024) {
      this.#all = this.#all.slice(this.#from)
      this.#from = 0
    }
    return parked
  }

  clear(): void {
    this.#all = []
    this.#from = this.#bytes = 0
  }
}
