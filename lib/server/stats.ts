/** Counts of event loops and servers. */

/**
 * What an event loop has counted since it started, and what it has at this moment. Everything that uses the
 * loop is counted together.
 *
 * @example
 * ```ts
 * const open = (stats: LoopStats) => stats.opened - stats.closed - stats.lastReplies
 * console.log(server.stats().loops.map(open))
 * ```
 */
export interface LoopStats {
  /** The loop's number, as in `conn.loop`. */
  readonly loop: number
  /** Connections that were opened. */
  readonly opened: number
  /** Connections that were closed. One that stays for its last replies is counted when its socket closes. */
  readonly closed: number
  /** Bytes received, PROXY headers included. */
  readonly bytesRead: number
  /** Bytes that the kernel has taken to send. */
  readonly bytesWritten: number
  /** Frames and chunks that the loop has handed to JavaScript. */
  readonly recordsIn: number
  /** Writes and commands that the loop has taken from JavaScript. */
  readonly recordsOut: number
  /** Turns of the loop: each waits for events, and handles them. */
  readonly turns: number
  /**
   * Accepted connections that were reset because their PROXY header was bad or missing, or did not come in time. They
   * are not among `opened`, and no handler heard of them.
   */
  readonly proxyRefused: number
  /**
   * Sockets that stay for their last replies, at this moment: their connection has closed because of a bad or
   * incomplete frame, and the peer can still read what was written before. Such a socket closes 2 s after the
   * last write, or after 1 MiB of input, or at once if nothing was written. It takes no place of
   * `maxConnections`. If a loop has more than 1,024 of them, it closes the oldest.
   */
  readonly lastReplies: number
}

/**
 * A server's counts at one moment.
 *
 * @example
 * ```ts
 * const stats: ServerStats = server.stats()
 * console.log(stats.connections, stats.loops.length)
 * ```
 */
export interface ServerStats {
  /** Open connections, of all listeners. */
  readonly connections: number
  /** The counts of each loop that the server uses. Empty once the server is closed. */
  readonly loops: readonly LoopStats[]
}
