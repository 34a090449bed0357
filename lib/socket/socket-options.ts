/** The public options of sockets, and their names. */

/**
 * Says when a silent peer is probed. The system decides what is left out.
 *
 * @example
 * ```ts
 * const keepAlive: KeepAlive = { idle: 60_000, interval: 10_000, count: 3 }
 * await connect({ to: 'tcp://127.0.0.1:9000', keepAlive })
 * ```
 */
export interface KeepAlive {
  /** Milliseconds of silence before the first probe, 1 to 32,767,000; rounded up to seconds. */
  idle?: number
  /** Milliseconds between probes, 1 to 32,767,000; rounded up to seconds. */
  interval?: number
  /** Unanswered probes after which the connection is lost (`ETIMEDOUT`), 1 to 127. */
  count?: number
}

/**
 * Sets options of a connection's socket. The system decides what is left out, except for `noDelay`.
 *
 * @throws `ERR_INVALID_OPTION` (from the function that takes the options) if a value is out of range, or
 *   if the connection's kind of socket does not have the option; `ERR_UNSUPPORTED` if the platform does
 *   not have it
 * @example
 * ```ts
 * const options: SocketOptions = { noDelay: false, dscp: 46, userTimeout: 20_000 }
 * await serve({ listen: 9000, ...options })
 * ```
 */
export interface SocketOptions {
  /** Sends small writes at once, without Nagle's algorithm. TCP. Default true. */
  noDelay?: boolean
  /** Probes a silent peer: `true` with the system's times, or with the given times. TCP. */
  keepAlive?: boolean | KeepAlive
  /**
   * `0`: `destroy()` resets the connection (RST), and the kernel drops what it has not sent yet. `end()`
   * stays the same. `false`: `destroy()` closes without a reset. TCP. `lingerTimeout` limits the time
   * of `end()`.
   */
  linger?: 0 | false
  /** The size of the kernel's receive buffer in bytes, 1 or more. Linux reserves, and reports, twice as much. */
  receiveBuffer?: number
  /** The size of the kernel's send buffer in bytes, 1 or more. Linux reserves, and reports, twice as much. */
  sendBuffer?: number
  /**
   * Milliseconds that sent bytes may stay unacknowledged before the connection is lost (`ETIMEDOUT`); 0
   * for the system's default. TCP on Linux.
   */
  userTimeout?: number
  /** Acknowledges received data at once. The kernel may return to delayed acknowledgements. TCP on Linux. */
  quickAck?: boolean
  /** The class of the packets (differentiated services), 0 to 63. TCP; not on Windows. */
  dscp?: number
}

/**
 * Sets options of a listening socket, beside those of its connections.
 *
 * @throws as {@link SocketOptions}
 * @example
 * ```ts
 * await serve({ listen: { path: '/run/my.sock', mode: 0o660 } })
 * ```
 */
export interface ListenerOptions {
  /** Connections that the kernel may keep waiting, 1 or more. Default 4096; the kernel has a limit of its own. */
  backlog?: number
  /** The permissions of a Unix socket's path, such as `0o660`. Default: 0o777 without the process's umask. */
  mode?: number
  /**
   * Gives each loop a socket of its own on the same port. Each loop accepts for itself, the kernel spreads
   * the connections, and `balance` is not used. Other processes of the same user may share the port.
   * TCP on Linux and FreeBSD. Default false.
   */
  reusePort?: boolean
  /**
   * Accepts data that arrives with the SYN of a known peer (TCP fast open): `true`, or how many such
   * connections may wait, 1 to 65,535. TCP on Linux. Default false.
   */
  fastOpen?: boolean | number
  /**
   * Milliseconds that the kernel waits for a connection's first bytes before it is accepted, 1 to
   * 255,000; rounded up to seconds. TCP on Linux.
   */
  deferAccept?: number
  /**
   * Whether a socket on an IPv6 address refuses IPv4. Default: true, but false for an address without a
   * host. TCP.
   */
  ipv6Only?: boolean
  /** Accepts only what arrives on this interface, such as `eth0`. TCP on Linux. */
  bindToDevice?: string
}

/** The names of {@link SocketOptions}. */
export const SOCKET_NAMES = [
  'noDelay',
  'keepAlive',
  'linger',
  'receiveBuffer',
  'sendBuffer',
  'userTimeout',
  'quickAck',
  'dscp',
] as const

/** The names of {@link ListenerOptions}. */
export const LISTENER_NAMES = [
  'backlog',
  'mode',
  'reusePort',
  'fastOpen',
  'deferAccept',
  'ipv6Only',
  'bindToDevice',
] as const
