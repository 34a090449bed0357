/** Two connections to pipe, and their peers. */

import type { ExecutionContext } from 'ava'
import type { Conn, ServeOptions } from 'millrace'
import { connectHalfOpenTo } from './client.js'
import { codeOf, gate } from './gate.js'
import { start } from './serve.js'

/** Both halves end apart. */
export const HALF = { allowHalfOpen: true }

/** Two accepted connections of one server, and their peers. */
export async function pair(
  t: ExecutionContext,
  options: Partial<ServeOptions<Buffer, Uint8Array | string, undefined>> = {},
) {
  const codes = new Map<Conn, string | undefined>()
  const opened: Conn[] = []
  const both = gate()
  const over = gate()
  const server = await start(t, {
    ...HALF,
    ...options,
    open(conn) {
      opened.push(conn)
      if (opened.length === 2) both.open()
    },
    close(conn, error) {
      codes.set(conn, codeOf(error))
      if (codes.size === 2) over.open()
    },
  })
  const [to] = server.addresses
  const sockets = [await connectHalfOpenTo(to), await connectHalfOpenTo(to)] as const
  await both.passed
  const [a, b] = opened as [Conn, Conn]
  return { server, a, b, sockets, codes, over: over.passed }
}
