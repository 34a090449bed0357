/** Who sent a datagram, or who is to get one: the words of an address as records carry them. */

import { endpointText, endpointWords, hostText } from '../address/endpoint.js'
import type { Writer } from '../codec/writer.js'

/** What is known of a datagram beside its message. Give it to `send` to answer. */
export interface DatagramInfo {
  /** The sender's address: `127.0.0.1:40312`, `[fe80::1%2]:40312`. Made at each look. */
  readonly remote: string
  /** The same without the port. */
  readonly address: string
  readonly port: number
  readonly family: 4 | 6
  /** It was longer than the socket's `max`, and is cut. */
  readonly truncated: boolean
}

/** The one implementation: numbers, of which text is made only when somebody asks. */
export class DatagramInfoImpl implements DatagramInfo {
  /** The family, and the port above it. */
  readonly head: number
  /** The bytes of the address, as they stand in memory. */
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
  readonly scope: number
  readonly truncated: boolean
  /** Which of a socket's loops received it, and sends the answer; -1 for any. */
  readonly lane: number

  constructor(words: Int32Array, at: number, truncated: boolean, lane: number) {
    this.head = words[at] as number
    this.a = words[at + 1] as number
    this.b = words[at + 2] as number
    this.c = words[at + 3] as number
    this.d = words[at + 4] as number
    this.scope = words[at + 5] as number
    this.truncated = truncated
    this.lane = lane
  }

  get port(): number {
    return this.head >>> 16
  }
  get family(): 4 | 6 {
    return (this.head & 0xffff) as 4 | 6
  }
  get remote(): string {
    return endpointText(this.#words())
  }
  get address(): string {
    return hostText(this.#words())
  }

  /** Writes the address in front of a datagram. */
  write(to: Writer): void {
    to.i32le(this.head).i32le(this.a).i32le(this.b).i32le(this.c).i32le(this.d).i32le(this.scope)
  }

  #words(): Int32Array {
    return Int32Array.of(this.head, this.a, this.b, this.c, this.d, this.scope)
  }
}

// For `console.log`: its fields say nothing.
Object.defineProperty(DatagramInfoImpl.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: DatagramInfoImpl): object {
    const { remote, truncated } = this
    return { remote, truncated }
  },
})

/** The other end of a connected socket: the kernel knows it. */
export const CONNECTED: DatagramInfoImpl = new DatagramInfoImpl(new Int32Array(6), 0, false, -1)

/** Addresses that are kept parsed. */
const KEPT = 1024

/** Addresses given as text, parsed once as long as there are not too many. */
export class DestinationCache {
  readonly #parsed = new Map<string, DatagramInfoImpl>()

  /** @throws `ERR_INVALID_ADDRESS` */
  parse(text: string): DatagramInfoImpl {
    let peer = this.#parsed.get(text)
    if (peer === undefined) {
      peer = new DatagramInfoImpl(endpointWords(text), 0, false, -1)
      if (this.#parsed.size >= KEPT) this.#parsed.clear()
      this.#parsed.set(text, peer)
    }
    return peer
  }
}
