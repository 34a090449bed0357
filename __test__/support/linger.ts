/** Waits until a linger time has passed, by the end of a connection that lingers. */

import { once } from 'node:events'
import net from 'node:net'
import { type Server, serve } from 'millrace'
import { gate } from './gate.js'
import { ANY } from './serve.js'

/**
 * Resolves once a connection that began to close after this call was given up for its `lingerTimeout`: the
 * same time has then passed for every connection that began to wait before.
 */
export async function lingerPassed(lingerTimeout: number, loops: Server): Promise<void> {
  const ended = gate()
  const server = await serve({
    listen: ANY,
    loops,
    lingerTimeout,
    message() {},
    open: (conn) => conn.close(),
    close: () => ended.open(),
  })
  // Its peer does not end.
  const socket = net.connect({ port: server.port as number, allowHalfOpen: true })
  socket.resume().on('error', () => {})
  await once(socket, 'connect')
  await ended.passed
  socket.destroy()
  await server.close()
}
