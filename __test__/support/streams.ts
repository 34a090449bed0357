/** An accepted connection as a stream, and its peer, which is Node's. */

import type net from 'node:net'
import type { ExecutionContext } from 'ava'
import { type Conn, type ConnStream, type ServeOptions, toDuplex } from 'millrace'
import { connect } from './client.js'
import { codeOf, gate } from './gate.js'
import { HALF } from './pipe.js'
import { start } from './serve.js'

/** Events of a stream in order, each with the code of its error if it has one. */
export function note(stream: ConnStream): string[] {
  const events: string[] = []
  for (const name of ['end', 'finish', 'error', 'timeout', 'close']) {
    stream.on(name, (error) => {
      const code = codeOf(error)
      events.push(code === undefined ? name : `${name} ${code}`)
    })
  }
  return events
}

/** A connection as a stream whose errors are ignored. */
export function streamOf(conn: Conn): ConnStream {
  return toDuplex(conn).on('error', () => {})
}

/** Resolves once the stream has emitted `'close'`. */
export async function gone(stream: ConnStream): Promise<void> {
  if (!stream.closed) await new Promise<void>((resolve) => void stream.once('close', resolve))
}

/** Options of a server whose connections become streams. */
export type StreamOptions = Partial<ServeOptions<Buffer, Uint8Array | string, undefined>>

/** An accepted connection that became a stream in `open`, and its peer. */
export async function streamed(
  t: ExecutionContext,
  options: StreamOptions = {},
  peerOptions: Partial<net.TcpNetConnectOpts> = HALF,
) {
  const opened = gate<{ stream: ConnStream; events: string[] }>()
  const over = gate<string | undefined>()
  const server = await start(t, {
    ...HALF,
    ...options,
    open(conn) {
      const stream = toDuplex(conn)
      opened.open({ stream, events: note(stream) })
    },
    close: (_conn, error) => over.open(codeOf(error)),
  })
  const socket = await connect(server.port, peerOptions)
  const { stream, events } = await opened.passed
  return { server, stream, conn: stream.conn, socket, events, over: over.passed }
}

const PATTERN = Buffer.from(Array.from({ length: 251 }, (_, at) => at))

/** Bytes in which none can be missing, doubled or moved without being noticed. */
export function patterned(size: number): Buffer {
  return Buffer.alloc(size, PATTERN)
}
