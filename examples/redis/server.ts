/** The server: takes requests from connections, runs commands, writes replies. */

import { type ServeOptions, type Server, serve } from 'millrace'
import { commands } from './all-commands.ts'
import { ProtocolError } from './protocol-error.ts'
import type { Reply } from './reply.ts'
import { type Request, resp } from './resp.ts'
import { Session } from './session.ts'
import { SharedState } from './shared-state.ts'

/** Bytes of replies that may wait for one client: room for several of the largest values. */
const MAX_WAITING = 512 * 1024 * 1024

type Options = ServeOptions<Request | ProtocolError, Reply, Session>

export function startRedis(
  options: Pick<Options, 'listen' | 'loops'>,
): Promise<Server<Request | ProtocolError, Reply, Session>> {
  const shared = new SharedState()
  return serve({
    ...options,
    codec: resp,
    maxWriteBuffer: MAX_WAITING,
    context: () => new Session(shared),
    open(conn) {
      conn.context.id = conn.id
      shared.clients++
    },
    message(conn, request) {
      if (request instanceof ProtocolError) {
        conn.close(request)
        return
      }
      if (request.length === 0) return
      shared.commandsRun++
      // A client that does not read its replies gets no more commands run until it does.
      if (!conn.write(commands.run(request, conn.context))) conn.pause()
      if (conn.context.hasQuit) conn.close()
    },
    drain(conn) {
      conn.resume()
    },
    close() {
      shared.clients--
    },
  })
}
