/** Counts of event loops and servers. */

/** What an event loop has counted since it started, for everything that uses it. */
export interface LoopStats {
  /** The loop's number, as in `conn.loop`. */
  readonly loop: number
  /** Connections opened. */
  readonly opened: number
  /** Connections closed. */
  readonly closed: number
  /** Bytes received. */
  readonly bytesRead: number
  /** Bytes that the kernel took. */
  readonly bytesWritten: number
  /** Frames and chunks handed to JavaScript. */
  readonly recordsIn: number
  /** Writes and commands taken from JavaScript. */
  readonly recordsOut: number
  /** Turns of the loop. */
  readonly turns: number
}

/** A server's counts at one moment. */
export interface ServerStats {
  /** Connections that are open. */
  readonly connections: number
  /** The loops that the server uses. */
  readonly loops: readonly LoopStats[]
}
