/** The addresses that datagrams come from and go to. */

import { endpointText, endpointWords, hostText } from '../address/endpoint.js'
import type { Writer } from '../codec/writer.js'
import { KIND_SEND_FROM } from '../native/record.js'
import { showAs } from '../util/inspect.js'
import { type Arrival, NOWHERE } from './arrival.js'

/**
 * What is known about a received datagram beside its message. Pass it to `send` to answer the sender.
 *
 * @example
 * ```ts
 * await bind({
 *   address: 9000,
 *   message(socket, bytes, info: DatagramInfo) {
 *     if (!info.truncated) socket.send(bytes, info)
 *   },
 * })
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
  readonly family: 'IPv4' | 'IPv6'
  /**
   * The address and port of this machine that the datagram was sent to: `127.0.0.1:9000`, `[fe80::1%2]:9000`. For a
   * multicast or broadcast, it is the address of the group or of the network. On a socket that is bound to one
   * address, and on a connected socket, it is the address of the socket.
   *
   * On a socket that is bound to all addresses of this machine, an answer to this `info` leaves from this address, so
   * that a peer which accepts answers only from the address that it asked gets the answer. Linux and macOS; elsewhere
   * it is then the address of the socket, such as `[::]:9000`, and the system chooses where an answer leaves from.
   */
  readonly local: string
  /** Whether the datagram was longer than the socket's `max`, and so was cut. */
  readonly truncated: boolean
}

/** The implementation of {@link DatagramInfo}: the words of an address in a record, formatted on demand. */
export class DatagramInfoImpl implements DatagramInfo {
  /** The family in the low half, and the port in the high half. */
  readonly head: number
  /** The four words of the IP address, in the order of memory. */
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
  /** The interface index of a link-local address, 0 for none. */
  readonly scope: number
  readonly truncated: boolean
  /** Which socket received the datagram, and where. */
  readonly arrival: Arrival

  constructor(words: Int32Array, at: number, truncated: boolean, arrival: Arrival) {
    this.head = words[at] as number
    this.a = words[at + 1] as number
    this.b = words[at + 2] as number
    this.c = words[at + 3] as number
    this.d = words[at + 4] as number
    this.scope = words[at + 5] as number
    this.truncated = truncated
    this.arrival = arrival
  }

  get port(): number {
    return this.head >>> 16
  }
  get isIPv4(): boolean {
    return (this.head & 0xffff) === 4
  }
  get family(): 'IPv4' | 'IPv6' {
    return this.isIPv4 ? 'IPv4' : 'IPv6'
  }
  get remote(): string {
    return endpointText(this.#words())
  }
  get address(): string {
    return hostText(this.#words())
  }

  get local(): string {
    return this.arrival.local
  }

  /** Writes the address in front of a datagram that is to be sent; for `SEND_FROM`, also the one that it leaves from. */
  write(to: Writer, kind: number): void {
    to.i32le(this.head).i32le(this.a).i32le(this.b).i32le(this.c).i32le(this.d).i32le(this.scope)
    if (kind === KIND_SEND_FROM) this.arrival.writeSource(to)
  }

  #words(): Int32Array {
    return Int32Array.of(this.head, this.a, this.b, this.c, this.d, this.scope)
  }
}

showAs(DatagramInfoImpl, 'DatagramInfo', ({ remote, local, truncated }) => ({
  remote,
  local,
  truncated,
}))

/** Stands for the peer of a connected socket. The kernel knows the address. */
export const CONNECTED: DatagramInfoImpl = new DatagramInfoImpl(
  new Int32Array(6),
  0,
  false,
  NOWHERE,
)

/** The most addresses that are kept. Over it all are dropped. */
const MAX_CACHED = 1024

/** Remembers destinations that users wrote as text, so that each is parsed once. */
export class DestinationCache {
  readonly #parsed = new Map<string, DatagramInfoImpl>()

  /**
   * Parses a destination.
   *
   * @param text an IP address and a port, such as `127.0.0.1:9000` or `[::1]:9000`
   * @throws `ERR_INVALID_ADDRESS`
   */
  parse(text: string): DatagramInfoImpl {
    let peer = this.#parsed.get(text)
    if (peer === undefined) {
      peer = new DatagramInfoImpl(endpointWords(text), 0, false, NOWHERE)
      if (this.#parsed.size >= MAX_CACHED) this.#parsed.clear()
      this.#parsed.set(text, peer)
    }
    return peer
  }
}
