/** Commands: how one is described, found by its name, and run. */

import { type Reply, ReplyError, text } from './reply.ts'
import type { Request } from './resp.ts'
import type { Session } from './session.ts'

export interface Command {
  /** How many words a request has, the name included. `-2` means 2 or more. */
  arity: number
  /** Returns the reply, or throws a `ReplyError`. */
  run(request: Request, session: Session): Reply
}

/** How many characters of an unknown command an error message shows. */
const SHOWN = 128

/** Commands by name. */
export class CommandTable {
  readonly #commands = new Map<string, Command>()

  /** @param commands by name, in lower case */
  constructor(commands: Record<string, Command>) {
    for (const [name, command] of Object.entries(commands)) {
      this.#commands.set(name, command)
      // Clients write names in upper case: this saves a conversion for each request.
      this.#commands.set(name.toUpperCase(), command)
    }
  }

  get size(): number {
    return this.#commands.size / 2
  }

  /** Runs a request, which has one word at least. */
  run(request: Request, session: Session): Reply {
    const name = text(request[0])
    const command = this.#commands.get(name) ?? this.#commands.get(name.toLowerCase())
    if (command === undefined) return unknownCommand(name, request)
    if (!hasArity(command, request)) return wrongArity(name)
    try {
      return command.run(request, session)
    } catch (error) {
      if (error instanceof ReplyError) return error
      throw error
    }
  }
}

/** Runs a command whose second word says what to do, such as `CONFIG GET`. */
export function subcommands(container: string, commands: Record<string, Command>): Command['run'] {
  const table = new Map(Object.entries(commands))
  return (request, session) => {
    const name = text(request[1])
    const command = table.get(name.toLowerCase())
    if (command === undefined) {
      const help = `Try ${container.toUpperCase()} HELP.`
      throw new ReplyError(`ERR unknown subcommand '${name.slice(0, SHOWN)}'. ${help}`)
    }
    if (!hasArity(command, request)) throw wrongArity(`${container}|${name}`)
    return command.run(request, session)
  }
}

export function wrongArity(name: string): ReplyError {
  return new ReplyError(`ERR wrong number of arguments for '${name.toLowerCase()}' command`)
}

export function syntaxError(): ReplyError {
  return new ReplyError('ERR syntax error')
}

function hasArity({ arity }: Command, request: Request): boolean {
  return arity < 0 ? request.length >= -arity : request.length === arity
}

function unknownCommand(name: string, request: Request): ReplyError {
  let shown = ''
  for (let at = 1; at < request.length && shown.length < SHOWN; at++) {
    shown += `'${text(request[at]).slice(0, SHOWN - shown.length)}' `
  }
  const start = `ERR unknown command '${name.slice(0, SHOWN)}'`
  return new ReplyError(`${start}, with args beginning with: ${shown}`)
}
