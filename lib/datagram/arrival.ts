/** Where datagrams arrive: the socket that received them, and the address of this machine that they were sent to. */

import { endpointText } from '../address/endpoint.js'
import type { Writer } from '../codec/writer.js'
import { ADDRESS_LENGTH, DATAGRAM_LOCAL } from '../native/record.js'

/** The words of an address in a record. */
const WORDS = ADDRESS_LENGTH / 4

/** Where a datagram arrived. Many datagrams share one. */
export class Arrival {
  /** The datagram socket that received it. Undefined for a destination that the user wrote. */
  readonly socket: object | undefined
  /** The index of the loop socket that received it, and that sends the answer. -1 for any. */
  readonly loopSocket: number
  /** The words of the address that an answer leaves from. Undefined if the system chooses it. */
  readonly source: Int32Array | undefined
  /** The address and port that it was sent to, or their words as long as nobody has read them. */
  #local: string | Int32Array

  /** @param isOwn whether an answer is to leave from the local address, which is given as words then */
  constructor(
    socket: object | undefined,
    loopSocket: number,
    local: string | Int32Array,
    isOwn: boolean,
  ) {
    this.socket = socket
    this.loopSocket = loopSocket
    this.source = isOwn && typeof local !== 'string' ? local : undefined
    this.#local = local
  }

  get local(): string {
    if (typeof this.#local !== 'string') this.#local = endpointText(this.#local)
    return this.#local
  }

  /** Writes the address that an answer leaves from, if there is one. */
  writeSource(to: Writer): void {
    const { source } = this
    if (source === undefined) return
    for (let at = 0; at < WORDS; at++) to.i32le(source[at] as number)
  }
}

/** The arrival of destinations that users write: none. */
export const NOWHERE: Arrival = new Arrival(undefined, -1, '', false)

/** Finds the arrivals of a socket that is bound to all addresses of this machine. */
export class Arrivals {
  readonly #socket: object
  readonly #loopSocket: number
  /** The last one. Most datagrams are sent to the same address as those before them. */
  #last: Arrival | undefined
  #words = new Int32Array(WORDS)

  constructor(socket: object, loopSocket: number) {
    this.#socket = socket
    this.#loopSocket = loopSocket
  }

  /**
   * Returns the arrival of a datagram.
   *
   * @param at the place of the datagram's record
   * @param isOwn whether an answer can leave from the local address
   */
  find(words: Int32Array, at: number, isOwn: boolean): Arrival {
    const start = (at + DATAGRAM_LOCAL) >> 2
    const last = this.#last
    if (last !== undefined && (last.source !== undefined) === isOwn && this.#isSame(words, start))
      return last
    this.#words = words.slice(start, start + WORDS)
    const found = new Arrival(this.#socket, this.#loopSocket, this.#words, isOwn)
    this.#last = found
    return found
  }

  #isSame(words: Int32Array, start: number): boolean {
    const own = this.#words
    for (let at = 0; at < WORDS; at++) if (own[at] !== words[start + at]) return false
    return true
  }
}
