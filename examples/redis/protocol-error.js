// @ts-check
/** The client does not speak RESP: it is told so, and there is nothing more to read. */

import { ReplyError } from './reply.js'

export class ProtocolError extends ReplyError {
  /** @param {string} problem */
  constructor(problem) {
    super(`ERR Protocol error: ${problem}`)
  }
}
