// @ts-check
/** RESP2, the protocol of Redis, as a server speaks it: requests in, replies out. */

import { defineCodec, raw } from 'millrace'
import { splitWords } from './inline.js'
import { readLength } from './length.js'
import { ProtocolError } from './protocol-error.js'
import { encodeReply } from './reply.js'

/** @import { Codec, Reader, Writer } from 'millrace' */
/** @import { Bytes, Reply } from './reply.js' */

/**
 * The words of a command, its name first. None at all is a request too: Redis does not answer it.
 *
 * @typedef {Bytes[]} Request
 */

/** The largest argument. */
export const MAX_BULK = 64 * 1024 * 1024
const MAX_ARGUMENTS = 1024 * 1024
/** The longest line without an end. */
const MAX_INLINE = 64 * 1024
/** Arguments up to here are text: a short string is much smaller than a short Buffer. */
export const MAX_TEXT = 16 * 1024

/** A request may not be larger than its largest argument and some more. */
const FRAMING = raw({ max: MAX_BULK + 1024 * 1024 }).framing

const LF = 10
const DOLLAR = 36
const ASTERISK = 42

/** A codec for one connection: it remembers how far a request has come that is not all here. */
export function resp() {
  return defineCodec(new Resp())
}

/** @implements {Codec<Request | ProtocolError, Reply>} */
class Resp {
  framing = FRAMING
  /** What is here of a request that is not all here. @type {Request} */
  #request = []
  /** How many arguments it still lacks. */
  #missing = 0
  /** Where the first of those starts: nothing before it is looked at twice. */
  #done = 0
  /** How much of a line was searched for its end. */
  #searched = 0

  /**
   * @param {Reader} from
   * @returns {Request | ProtocolError | undefined}
   */
  decode(from) {
    try {
      return from.peek() === ASTERISK ? this.#array(from) : this.#inline(from)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      from.skip(from.remaining)
      return error
    }
  }

  /**
   * @param {Reply} reply
   * @param {Writer} to
   */
  encode(reply, to) {
    encodeReply(reply, to)
  }

  /** @param {Reader} from */
  #array(from) {
    const length = from.remaining
    let request = this.#request
    let missing = this.#missing
    if (missing === 0) {
      from.skip(1)
      const count = readLength(from, MAX_ARGUMENTS, 'invalid multibulk length')
      if (count === undefined) return undefined
      request = []
      missing = count
    } else {
      from.skip(this.#done)
    }
    for (; missing > 0; missing--) {
      const done = length - from.remaining
      const argument = bulk(from)
      if (argument === undefined) {
        this.#request = request
        this.#missing = missing
        this.#done = done
        return undefined
      }
      request.push(argument)
    }
    if (this.#missing > 0) {
      this.#request = []
      this.#missing = 0
    }
    return request
  }

  /** A line as people type it. @param {Reader} from */
  #inline(from) {
    const length = from.indexOf(LF, this.#searched)
    if (length === -1) {
      this.#searched = from.remaining
      if (this.#searched > MAX_INLINE) throw new ProtocolError('too big inline request')
      return undefined
    }
    this.#searched = 0
    const words = splitWords(from.text(length, 'latin1'))
    if (words === undefined) throw new ProtocolError('unbalanced quotes in request')
    from.skip(1)
    return words
  }
}

/** An argument; `undefined` if it is not all here. @param {Reader} from */
function bulk(from) {
  if (from.remaining === 0) return undefined
  const mark = from.u8()
  if (mark !== DOLLAR) throw new ProtocolError(`expected '$', got '${String.fromCharCode(mark)}'`)
  const length = readLength(from, MAX_BULK, 'invalid bulk length')
  if (length === undefined) return undefined
  if (length < 0) throw new ProtocolError('invalid bulk length')
  if (from.remaining < length + 2) return undefined
  const argument = length <= MAX_TEXT ? from.text(length, 'latin1') : from.bytes(length)
  from.skip(2)
  return argument
}
