/** Codecs of bytes that a connection changes between, and a server that does so. */

import type { ExecutionContext } from 'ava'
import { type Codec, type Conn, lengthField, line, raw, type Timeouts } from 'millrace'
import { connect } from './client.js'
import { codeOf, gate } from './gate.js'
import { start } from './serve.js'

export type Bytes = Codec<Buffer, Uint8Array | string>
export type BytesConn = Conn<Buffer, Uint8Array | string>

export const lines: Bytes = { ...line({ max: 1000 }), switchable: true }
export const chunks: Bytes = raw()
/** Bodies behind their length in two bytes. */
export const packets: Bytes = { ...lengthField({ bytes: 2, max: 60_000 }), switchable: true }

/** A body as `packets` has it on the wire. */
export function packet(body: Buffer | string): Buffer {
  const bytes = Buffer.from(body)
  const header = Buffer.alloc(2)
  header.writeUInt16BE(bytes.length)
  return Buffer.concat([header, bytes])
}

export interface SwitchOptions {
  readonly isPulled?: boolean
  /** The codec before the switch. Default `lines`. */
  readonly first?: Bytes
  readonly allowHalfOpen?: boolean
  readonly timeouts?: Timeouts
  /** Waited for before the switch. */
  wait?(): Promise<void> | undefined
}

/** Either the codec to go on with, or what is done with the connection. */
type Change = Bytes | ((conn: BytesConn) => void)

/** A server that makes a change at the message `switch`, and collects what it got as texts, and a client of it. */
export async function serveSwitch(
  t: ExecutionContext,
  change: Change,
  {
    isPulled = false,
    first = lines,
    allowHalfOpen = true,
    timeouts = {},
    wait = () => undefined,
  }: SwitchOptions = {},
) {
  const texts: string[] = []
  const ended = gate<string | undefined>()
  const opened = gate<BytesConn>()
  const took = gate()
  async function take(conn: BytesConn, message: Buffer): Promise<void> {
    texts.push(message.toString('latin1'))
    if (message.toString() !== 'switch') return
    took.open()
    const waiting = wait()
    if (waiting !== undefined) await waiting
    if (typeof change === 'function') change(conn)
    else conn.codec = change
  }
  const server = await start(t, {
    codec: first,
    timeouts,
    async open(conn) {
      opened.open(conn)
      if (isPulled) for await (const message of conn) await take(conn, message)
    },
    ...(isPulled ? {} : { message: take }),
    close: (_conn, error) => ended.open(codeOf(error)),
  })
  const socket = await connect(server.port, { allowHalfOpen })
  return { server, socket, texts, ended: ended.passed, opened: opened.passed, took: took.passed }
}
