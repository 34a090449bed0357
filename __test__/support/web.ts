/** A `node:http` server whose connections are millrace's, and requests to it with Node's own client. */

import { once } from 'node:events'
import {
  Agent,
  createServer,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  request,
  type Server,
} from 'node:http'
import type { Readable } from 'node:stream'
import type { ExecutionContext } from 'ava'
import { type ConnStream, toDuplex } from 'millrace'
import { codeOf } from './gate.js'
import { HALF } from './pipe.js'
import { start } from './serve.js'
import type { StreamOptions } from './streams.js'

/** Serves HTTP until the test ends. */
export async function web(
  t: ExecutionContext,
  listener: RequestListener,
  options: StreamOptions = {},
) {
  const http: Server = createServer(listener)
  // Only then does it know its connections: it listens nowhere by itself.
  http.emit('listening')
  t.teardown(() => http.close())
  const streams: ConnStream[] = []
  /** How connections have ended. */
  const codes: (string | undefined)[] = []
  const server = await start(t, {
    ...HALF,
    ...options,
    open(conn) {
      const stream = toDuplex(conn)
      streams.push(stream)
      http.emit('connection', stream)
    },
    close: (_conn, error) => void codes.push(codeOf(error)),
  })
  return { http, server, port: server.port, streams, codes }
}

/** An agent that keeps one connection, until the test ends. */
export function keeper(t: ExecutionContext): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  return agent
}

/** Sends a request with a body. */
export async function ask(
  port: number,
  options: RequestOptions = {},
  body: string | Readable = '',
): Promise<IncomingMessage> {
  const asked = request({ host: '127.0.0.1', port, ...options })
  if (typeof body === 'string') asked.end(body)
  else body.pipe(asked)
  const [response] = await once(asked, 'response')
  return response as IncomingMessage
}

/** The whole body as text. */
export async function textOf(readable: Readable): Promise<string> {
  let text = ''
  for await (const chunk of readable.setEncoding('utf8')) text += chunk
  return text
}
