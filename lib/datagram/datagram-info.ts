/** The address that a datagram came from or goes to. */

import { endpointText, endpointWords, hostText } from '../address/endpoint.js'
import type { Writer } from '../codec/writer.js'
import { showAs } from '../util/inspect.js'

/**
 * What is known of a datagram beside its message. Pass it to `send` to answer.
 *
 * @example
 * ```ts
 * message: (socket, question, info) => socket.send(answer(question), info)
 * ```
 */
export interface DatagramInfo {
  /** The sender's address and port: `127.0.0.1:40312`, `[fe80::1%2]:40312`. Formatted at each read. */
  readonly remote: string
  /** The sender's IP address. Formatted at each read. */
  readonly address: string
  /** The sender's port. */
  readonly port: number
  /** The family of the sender's address. */
  readonly family: 4 | 6
  /** Whether the datagram was longer than the socket's `max`, and was cut. */
  readonly truncated: boolean
}

/** See {@link DatagramInfo}. Holds the words of an address as records carry them, and formats them on demand. */
export class DatagramInfoImpl implements DatagramInfo {
  /** The family in the low half, and the port in the high half. */
  readonly head: number
  /** The bytes of the address, in the order of memory. */
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
  readonly scope: number
  readonly truncated: boolean
  /** The place of the loop socket that received the datagram, and sends the answer; -1 for any. */
  readonly loopSocket: number

  constructor(words: Int32Array, at: number, truncated: boolean, loopSocket: number) {
    this.head = words[at] as number
    this.a = words[at + 1] as number
    this.b = words[at + 2] as number
    this.c = words[at + 3] as number
    this.d = words[at + 4] as number
    this.scope = words[at + 5] as number
    this.truncated = truncated
    this.loopSocket = loopSocket
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

showAs(DatagramInfoImpl, 'DatagramInfo', ({ remote, truncated }) => ({ remote, truncated }))

/** Stands for the peer of a connected socket, which the kernel knows. */
export const CONNECTED: DatagramInfoImpl = new DatagramInfoImpl(new Int32Array(6), 0, false, -1)

/** The most addresses that are kept. */
const KEPT = 1024

/** Remembers addresses that were given as text, so that each is parsed once. */
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
