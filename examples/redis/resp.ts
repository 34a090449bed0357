/** RESP2, the protocol of Redis, as a codec for a server: requests come in, replies go out. */

import { type Codec, defineCodec, type Reader, raw, type Writer } from 'millrace'
import { ProtocolError } from './protocol-error.ts'
import { readLength } from './read-length.ts'
import { type Bytes, encodeReply, type Reply } from './reply.ts'
import { splitWords } from './split-words.ts'

/** The words of a command, its name first. Redis does not answer a request without words. */
export type Request = Bytes[]

/** The longest argument, in bytes. */
export const MAX_ARGUMENT = 64 * 1024 * 1024
const MAX_ARGUMENTS = 1024 * 1024
/** The longest line that may come without its end. */
const MAX_LINE = 64 * 1024
/** Longer arguments are Buffers. Shorter ones are strings, which take much less memory. */
export const MAX_TEXT = 16 * 1024

/** A request has room for one argument of the greatest length, and for everything else in it. */
const FRAMING = raw({ max: MAX_ARGUMENT + 1024 * 1024 }).framing

const LF = 10
const DOLLAR = 36
const ASTERISK = 42

/** A codec for one connection: it remembers how much of an incomplete request it has read. */
export function resp(): Codec<Request | ProtocolError, Reply> {
  return defineCodec(new Resp())
}

class Resp implements Codec<Request | ProtocolError, Reply> {
  readonly framing = FRAMING
  /** The arguments that are here, of a request that is incomplete. */
  #request: Request = []
  /** How many arguments are still missing. */
  #missing = 0
  /** Where the first missing argument starts. Nothing before it is read twice. */
  #done = 0
  /** How many bytes of an incomplete line were searched for its end. */
  #searched = 0

  decode(from: Reader): Request | ProtocolError | undefined {
    try {
      return from.peek() === ASTERISK ? this.#decodeArray(from) : this.#decodeLine(from)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      // The server answers with the error and ends the connection: the rest does not matter.
      from.skip(from.remaining)
      return error
    }
  }

  encode(reply: Reply, to: Writer): void {
    encodeReply(reply, to)
  }

  /** A request as clients send it: the number of arguments, then each with its length. */
  #decodeArray(from: Reader): Request | undefined {
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
      const argument = decodeArgument(from)
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

  /** A request as people type it, with telnet or nc: words on a line. */
  #decodeLine(from: Reader): Request | undefined {
    const length = from.indexOf(LF, this.#searched)
    if (length === -1) {
      this.#searched = from.remaining
      if (this.#searched > MAX_LINE) throw new ProtocolError('too big inline request')
      return undefined
    }
    this.#searched = 0
    const words = splitWords(from.text(length, 'latin1'))
    if (words === undefined) throw new ProtocolError('unbalanced quotes in request')
    from.skip(1)
    return words
  }
}

/** One argument, `$3\r\nGET\r\n`; `undefined` if it is incomplete. */
function decodeArgument(from: Reader): Bytes | undefined {
  if (from.remaining === 0) return undefined
  const mark = from.u8()
  if (mark !== DOLLAR) throw new ProtocolError(`expected '$', got '${String.fromCharCode(mark)}'`)
  const length = readLength(from, MAX_ARGUMENT, 'invalid bulk length')
  if (length === undefined) return undefined
  if (length < 0) throw new ProtocolError('invalid bulk length')
  if (from.remaining < length + 2) return undefined
  const argument = length <= MAX_TEXT ? from.text(length, 'latin1') : from.bytes(length)
  from.skip(2)
  return argument
}
