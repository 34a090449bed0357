// @ts-check
/** What a server answers, and how RESP2 writes it. */

/** @import { Writer } from 'millrace' */

/**
 * Any bytes: short ones as text with a character for each byte (latin1), which takes less memory
 * than a Buffer and is a key of a Map as it is.
 *
 * @typedef {string | Buffer} Bytes
 */

/**
 * Bytes are a bulk string, `null` is the one that is not there, numbers are integers.
 *
 * @typedef {Bytes | null | number | bigint | Status | ReplyError | Reply[]} Reply
 */

const CRLF = 0x0d0a
const DOLLAR = 36
const ASTERISK = 42
const COLON = 58
const ZERO = 48
const NULL = Buffer.from('$-1\r\n')

/** A word that says how it went: `OK`. Encoded once. */
export class Status {
  /** @param {string} text */
  constructor(text) {
    this.encoded = Buffer.from(`+${text}\r\n`, 'latin1')
  }
}

export const OK = new Status('OK')
export const PONG = new Status('PONG')

/** What a command throws to be answered with: a code in capitals and a text. */
export class ReplyError extends Error {
  /** @param {string} text */
  constructor(text) {
    super(text)
    const line = text.replace(/[\r\n]+$/, '').replace(/[\r\n]/g, ' ')
    this.encoded = Buffer.from(`-${line}\r\n`, 'latin1')
  }
}

/**
 * Bytes as text, as keys and options are.
 *
 * @param {Bytes | undefined} bytes
 */
export function text(bytes = '') {
  return typeof bytes === 'string' ? bytes : bytes.toString('latin1')
}

/**
 * @param {Reply} reply
 * @param {Writer} to
 */
export function encodeReply(reply, to) {
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

/**
 * @param {number} mark
 * @param {number} length
 * @param {Writer} to
 */
function writeLength(mark, length, to) {
  to.u8(mark)
  if (length < 10) to.u8(ZERO + length)
  else to.text(String(length), 'latin1')
  to.u16(CRLF)
}
