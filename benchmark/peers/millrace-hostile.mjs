/** A server that expects the worst, with millrace: a request of 4 bytes says how large its reply shall be, and
 * any other is echoed. */

import { parseArgs } from 'node:util'
import { lengthField, serve } from 'millrace'
import { listening } from './control.mjs'
import { asked } from './hostile.mjs'

const { values } = parseArgs({
  options: {
    loops: { type: 'string', default: '1' },
    /** Milliseconds of each limit. */
    limit: { type: 'string' },
  },
})
const limit = Number(values.limit)

/** @param {Buffer} request */
function reply(request) {
  const size = asked(request)
  return size === undefined ? request : Buffer.allocUnsafe(size).fill('x')
}

const server = await serve({
  listen: 'tcp://127.0.0.1:0',
  loops: values.loops === 'inline' ? values.loops : Number(values.loops),
  codec: lengthField(),
  timeouts: { firstMessage: limit, frame: limit, write: limit },
  message(conn, request) {
    if (!conn.write(reply(request))) conn.pause()
  },
  drain(conn) {
    conn.resume()
  },
  close() {},
})

listening(server.addresses[0].slice('tcp://'.length))
