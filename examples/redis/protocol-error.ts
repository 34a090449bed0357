/** The client does not speak RESP. The server says so and ends the connection. */

import { ReplyError } from './reply.ts'

export class ProtocolError extends ReplyError {
  constructor(problem: string) {
    super(`ERR Protocol error: ${problem}`)
  }
}
