/** Types of socket addresses, as the native half needs them: parsed, and with names looked up. */

/** The address of a TCP or UDP socket. */
export interface TcpAddress {
  readonly kind: 'tcp'
  /** An IP address without its zone. */
  readonly host: string
  readonly port: number
  /** The interface index of a link-local address, 0 for none. */
  readonly scope: number
  /** Whether a socket on an IPv6 address accepts IPv4 too. */
  readonly dualStack: boolean
  /** The host to use if the system has no IPv6. */
  readonly fallback?: string
}

/** The address of a Unix socket. */
export interface UnixAddress {
  readonly kind: 'unix'
  /** A path, or `@` and an abstract name. */
  readonly path: string
}

/** A socket that this process inherited and that already listens. */
export interface InheritedAddress {
  readonly kind: 'inherited'
  readonly descriptor: number
  /** The address as the user wrote it, for error messages. */
  readonly asked: string
}

/** An address that a stream can connect to. */
export type StreamAddress = TcpAddress | UnixAddress

/** An address to listen on. */
export type BindAddress = StreamAddress | InheritedAddress

/** What to connect to: an address, or a name that has to be looked up. */
export type Destination = StreamAddress | { readonly kind: 'name'; host: string; port: number }
