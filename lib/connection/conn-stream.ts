/** A connection as a stream of Node. */

import type { Duplex } from 'node:stream'
import type { Conn } from './conn.js'

/**
 * A connection as a stream, which `toDuplex` makes. What belongs to a `net.Socket` and is not in `Duplex` has the
 * meaning that it has there, unless its comment says more.
 *
 * @example
 * ```ts
 * function serveFor(stream: ConnStream, ms: number) {
 *   stream.setTimeout(ms, () => stream.destroySoon())
 *   stream.on('error', (error) => console.error(stream.remoteAddress, error))
 *   stream.pipe(stream)
 * }
 * await serve({ listen: 9000, open: (conn) => serveFor(toDuplex(conn), 60_000) })
 * ```
 */
export interface ConnStream extends Duplex {
  /** The connection. `write`, `pause`, pulling and another `codec` throw `ERR_PIPED` there. */
  readonly conn: Conn
  /** The other side's IP address; undefined for a Unix socket. */
  readonly remoteAddress: string | undefined
  /** The other side's port; undefined for a Unix socket. */
  readonly remotePort: number | undefined
  /** The family of the other side's address; undefined for a Unix socket. */
  readonly remoteFamily: 'IPv4' | 'IPv6' | undefined
  /** Our IP address; undefined for a Unix socket. */
  readonly localAddress: string | undefined
  /** Our port; undefined for a Unix socket. */
  readonly localPort: number | undefined
  /** The family of our address; undefined for a Unix socket. */
  readonly localFamily: 'IPv4' | 'IPv6' | undefined
  /** Bytes that the connection has received, also before it became a stream. */
  readonly bytesRead: number
  /** Bytes that the connection has accepted, also before it became a stream. `writableLength` is what waits before it. */
  readonly bytesWritten: number
  /** Always false: the connection is there. */
  readonly connecting: false
  /** Always false, for the same reason. */
  readonly pending: false
  /** Which halves of the stream are open. */
  readonly readyState: 'open' | 'readOnly' | 'writeOnly' | 'closed'
  /** The milliseconds that `setTimeout` was called with; undefined before. */
  readonly timeout: number | undefined
  /** Returns our address. Empty for a Unix socket. */
  address(): { address: string; family: 'IPv4' | 'IPv6'; port: number } | Record<string, never>
  /**
   * Emits `'timeout'` after so many milliseconds without a byte either way, and does nothing else. 0 switches that off.
   * The timer does not keep the process alive. The connection's own limits in time go on beside it.
   *
   * @param callback added as a listener for the next `'timeout'`, or removed if `ms` is 0
   * @throws `ERR_INVALID_OPTION`
   */
  setTimeout(ms: number, callback?: () => void): this
  /** Whether small writes are sent at once. Default true. Does nothing for a Unix socket. */
  setNoDelay(noDelay?: boolean): this
  /**
   * Whether a silent peer is probed. Does nothing for a Unix socket.
   *
   * @param enable default false
   * @param initialDelay milliseconds of silence before the first probe; 0, the default, for what the system has
   */
  setKeepAlive(enable?: boolean, initialDelay?: number): this
  /** Keeps the process alive while the connection is open, which is the default. */
  ref(): this
  /** Lets the process exit while the connection is open. */
  unref(): this
  /**
   * Ends our half, and closes the connection once everything is written, as `conn.close()` does: what arrives
   * meanwhile is dropped, and `'close'` comes once the peer has ended, too.
   */
  destroySoon(): void
  /** Closes the connection with a reset (RST). A Unix socket has none, and closes as with `destroy`. */
  resetAndDestroy(): this
}
