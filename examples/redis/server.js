// @ts-check
/** The server: connections on one side, commands on the other. */

import { serve } from 'millrace'
import { commands } from './commands.js'
import { Instance } from './instance.js'
import { ProtocolError } from './protocol-error.js'
import { resp } from './resp.js'
import { Session } from './session.js'

/** Replies that may wait for one client: a few of the largest values. */
const MAX_WAITING = 512 * 1024 * 1024

/**
 * @param {object} options
 * @param {string} options.listen
 * @param {number | 'inline'} options.loops
 */
export function startRedis({ listen, loops }) {
  const instance = new Instance()
  return serve({
    listen,
    loops,
    codec: resp,
    maxWriteBuffer: MAX_WAITING,
    data: () => new Session(instance),
    open(conn) {
      conn.data.id = conn.id
      instance.clients++
    },
    message(conn, request) {
      if (request instanceof ProtocolError) {
        conn.end(request)
        return
      }
      if (request.length === 0) return
      instance.commands++
      // A client that does not read its replies is not asked for more commands.
      if (!conn.write(commands.run(request, conn.data))) conn.pause()
      if (conn.data.isEnding) conn.end()
    },
    drain(conn) {
      conn.resume()
    },
    close() {
      instance.clients--
    },
  })
}
