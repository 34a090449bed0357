/** `toDuplex`, which makes a connection a stream of Node. */

import { checkTakable } from './connection/check-takable.js'
import type { Conn } from './connection/conn.js'
import type { ConnStream } from './connection/conn-stream.js'
import { ConnStreamImpl } from './connection/conn-stream-impl.js'
import { ENDING } from './connection/flags.js'

/**
 * Makes a connection a stream of Node, for what is made for a `net.Socket`: `http.Server`, WebSockets, brokers. The
 * stream has bytes and no frames, whatever the connection's framing is. What was received and not delivered yet goes
 * first, exactly as it came from the wire.
 *
 * From then on `write`, `pause`, pulling and another `codec` of the connection throw `ERR_PIPED`; its handlers
 * `message`, `end`, `idle` and `drain` do not run, and `close` does. The connection counts as served by a handler that
 * has not settled, and its limits in time go on. `autoPause` is off: the stream is not read while it has enough.
 *
 * The stream's `allowHalfOpen` is the connection's option, and can be set. It gets `'error'` if the connection is lost,
 * and `'close'` when it is closed. Destroying the stream destroys the connection.
 *
 * @returns the stream, one for each connection
 * @throws `ERR_INVALID_OPTION` if `conn` is not a connection, `ERR_PIPED` if it is a stream already, is piped, or sends a file,
 *   `ERR_CLOSED` if it is closed, is closing, or our half has ended
 * @example
 * ```ts
 * import { createServer } from 'node:http'
 *
 * const http = createServer((_request, response) => response.end('hello'))
 * await serve({
 *   listen: 8080,
 *   allowHalfOpen: true,
 *   open: (conn) => void http.emit('connection', toDuplex(conn)),
 * })
 * ```
 */
export function toDuplex(conn: Conn): ConnStream {
  const taken = checkTakable('the connection', conn)
  if (taken.flags & ENDING) throw taken.coldState().closedError()
  return new ConnStreamImpl(taken)
}
