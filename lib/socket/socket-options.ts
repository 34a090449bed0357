/** The public options of sockets, and their names. */

/**
 * When a silent peer is probed. Fields that are left out have the system's values.
 *
 * @example
 * ```ts
 * const keepAlive: KeepAlive = { idle: 60_000, interval: 10_000, count: 3 }
 * await connect({ to: 'tcp://127.0.0.1:9000', keepAlive })
 * ```
 */
export interface KeepAlive {
  /** Milliseconds of silence before the first probe, 1 to 32,767,000; rounded up to seconds. */
  idle?: number | undefined
  /** Milliseconds between two probes, 1 to 32,767,000; rounded up to seconds. */
  interval?: number | undefined
  /** Unanswered probes after which the connection is lost (`ETIMEDOUT`), 1 to 127. */
  count?: number | undefined
}

/**
 * The options of a connection's socket. Options that are left out have the system's values, except for
 * `noDelay`.
 *
 * @throws `ERR_INVALID_OPTION` (from the function that takes the options) if a value is out of range, or
 *   if the connection's kind of socket does not have the option; `ERR_UNSUPPORTED` if the platform does
 *   not have the option
 * @example
 * ```ts
 * const options: SocketOptions = { noDelay: false, dscp: 46, userTimeout: 20_000 }
 * await serve({ listen: 9000, ...options })
 * ```
 */
export interface SocketOptions {
  /** Whether small writes are sent at once, without Nagle's algorithm. TCP. Default true. */
  noDelay?: boolean | undefined
  /** Whether a silent peer is probed: `true` for the system's times, or an object with other times. TCP. */
  keepAlive?: boolean | KeepAlive | undefined
  /**
   * How `destroy()` closes the connection. `0`: with a reset (RST); the kernel drops what it has not sent
   * yet. `false`: without a reset. TCP. `close()` is unaffected: `lingerTimeout` limits its time.
   */
  linger?: 0 | false | undefined
  /** The size of the kernel's receive buffer in bytes, 1 or more. Linux reserves, and reports, twice as much. */
  receiveBuffer?: number | undefined
  /** The size of the kernel's send buffer in bytes, 1 or more. Linux reserves, and reports, twice as much. */
  sendBuffer?: number | undefined
  /**
   * Milliseconds that sent bytes may stay unacknowledged before the connection is lost (`ETIMEDOUT`); 0
   * for the system's default. TCP on Linux.
   */
  userTimeout?: number | undefined
  /** Whether received data is acknowledged at once. The kernel may stop doing so. TCP on Linux. */
  quickAck?: boolean | undefined
  /** The class of the packets (differentiated services), 0 to 63. TCP; not on Windows. */
  dscp?: number | undefined
}

/**
 * The options of a listening socket.
 *
 * @throws as {@link SocketOptions}
 * @example
 * ```ts
 * await serve({ listen: { path: '/run/my.sock', mode: 0o660 } })
 * ```
 */
export interface ListenerOptions {
  /** The most connections that may wait in the kernel, 1 or more. The kernel limits it further. Default 4096. */
  backlog?: number | undefined
  /** The permissions of a Unix socket's path, such as `0o660`. Default: 0o777 without the process's umask. */
  mode?: number | undefined
  /**
   * Whether each loop gets a socket of its own on the same port. Each loop then accepts for itself, the
   * kernel spreads the connections, and `balance` is not used. Other processes of the same user may share
   * the port. TCP on Linux and FreeBSD. Default false.
   */
  reusePort?: boolean | undefined
  /**
   * Whether data is accepted that arrives with the SYN of a known peer (TCP fast open). A number from 1 to
   * 65,535 is how many such connections may wait; `true` means 256. TCP on Linux. Default false.
   */
  fastOpen?: boolean | number | undefined
  /**
   * Milliseconds that the kernel waits for a connection's first bytes before it is accepted, 1 to
   * 255,000; rounded up to seconds. TCP on Linux.
   */
  deferAccept?: number | undefined
  /**
   * Whether a socket on an IPv6 address refuses IPv4. Default: true, but false for an address without a
   * host. TCP.
   */
  ipv6Only?: boolean | undefined
  /** The network interface to accept connections from, such as `eth0`. TCP on Linux. Default: all. */
  bindToDevice?: string | undefined
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
