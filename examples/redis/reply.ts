/** The replies of a server, and how RESP2 encodes them. */

import type { Writer } from 'millrace'

/**
 * Any bytes. Short ones are text with one character for each byte (latin1): text takes less memory than
 * a Buffer, and can be the key of a Map.
 */
export type Bytes = string | Buffer

/** Bytes are sent as a bulk string, `null` as the null bulk string, numbers as integers. */
export type Reply = Bytes | null | number | bigint | Status | ReplyError | Reply[]

const CRLF = 0x0d0a
const DOLLAR = 36
const ASTERISK = 42
const COLON = 58
const ZERO = 48
const NULL = Buffer.from('$-1\r\n')

/** A short word such as `OK`, encoded once. */
export class Status {
  readonly encoded: Buffer

  constructor(text: string) {
    this.encoded = Buffer.from(`+${text}\r\n`, 'latin1')
  }
}

export const OK: Status = new Status('OK')
export const PONG: Status = new Status('PONG')

/** An error reply: a code in capitals and a text. Commands throw it. */
export class ReplyError extends Error {
  readonly encoded: Buffer

  constructor(text: string) {
    super(text)
    const line = text.replace(/[\r\n]+$/, '').replace(/[\r\n]/g, ' ')
    this.encoded = Buffer.from(`-${line}\r\n`, 'latin1')
  }
}

/** Bytes as text, for keys and options. */
export function text(bytes: Bytes | undefined = ''): string {
  return typeof bytes === 'string' ? bytes : bytes.toString('latin1')
}

export function encodeReply(reply: Reply, to: Writer): void {
  if (typeof reply === 'string') {
    writeLength(DOLLAR, reply.length, to)
    to.text(reply, 'latin1').u16(CRLF)
  } else if (reply === null) {
    to.bytes(NULL)
  } else if (reply instanceof Status || reply instanceof ReplyError) {
    to.bytes(reply.encoded)
  } else if (typeof reply === 'number' || typeof reply === 'bigint') {
    to.u8(COLON).text(String(reply), 'latin1').u16(CRLF)
  } else if (Buffer.isBuffer(reply)) {
    writeLength(DOLLAR, reply.length, to)
    to.bytes(reply).u16(CRLF)
  } else {
    writeLength(ASTERISK, reply.length, to)
    for (const each of reply) encodeReply(each, to)
  }
}

function writeLength(mark: number, length: number, to: Writer): void {
  to.u8(mark)
  if (length < 10) to.u8(ZERO + length)
  else to.text(String(length), 'latin1')
  to.u16(CRLF)
}
