/** Counts of event loops and servers. */

/**
 * What an event loop has counted since it started. Everything that uses the loop is counted together.
 *
 * @example
 * ```ts
 * const open = (stats: LoopStats) => stats.opened - stats.closed
 * console.log(server.stats().loops.map(open))
 * ```
 */
export interface LoopStats {
  /** The loop's number, as in `conn.loop`. */
  readonly loop: number
  /** Connections that were opened. */
  readonly opened: number
  /** Connections that were closed. */
  readonly closed: number
  /** Bytes received. */
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
   * Sockets that stay after their connection has closed because of a bad or incomplete frame, at this
   * moment: up to 2 s and 1 MiB of input after the last write, so that the peer can read the replies. A
   * connection without a write closes at once. They
   * take no place of `maxConnections`. With more than 1,024 of them, the oldest are closed.
   */
  readonly lingering: number
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
