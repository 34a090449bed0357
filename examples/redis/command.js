// @ts-check
/** What a command is, and how one is found by its name and run. */

import { ReplyError, text } from './reply.js'

/** @import { Reply } from './reply.js' */
/** @import { Request } from './resp.js' */
/** @import { Session } from './session.js' */

/**
 * `arity` counts words, the name included; where it is negative there may be more of them. `run`
 * throws a `ReplyError` to answer with one.
 *
 * @typedef {object} Command
 * @property {number} arity
 * @property {(request: Request, session: Session) => Reply} run
 */

/** What Redis shows of what it does not know. */
const SHOWN = 128

/** Commands by name. */
export class CommandTable {
  /** @type {Map<string, Command>} */
  #commands = new Map()

  /** @param {Record<string, Command>} commands by their names in small letters */
  constructor(commands) {
    for (const [name, command] of Object.entries(commands)) {
      this.#commands.set(name, command)
      // As clients write it: found at the first look.
      this.#commands.set(name.toUpperCase(), command)
    }
  }

  get size() {
    return this.#commands.size / 2
  }

  /**
   * @param {Request} request a name at least
   * @param {Session} session
   * @returns {Reply}
   */
  run(request, session) {
    const name = text(request[0])
    const command = this.#commands.get(name) ?? this.#commands.get(name.toLowerCase())
    if (command === undefined) return unknownCommand(name, request)
    if (!fits(command, request)) return wrongArity(name)
    try {
      return command.run(request, session)
    } catch (error) {
      if (error instanceof ReplyError) return error
      throw error
    }
  }
}

/**
 * A command whose second word says what it does: `CONFIG GET`.
 *
 * @param {string} container
 * @param {Record<string, Command>} commands
 * @returns {Command['run']}
 */
export function subcommands(container, commands) {
  const table = new Map(Object.entries(commands))
  return (request, session) => {
    const name = text(request[1])
    const command = table.get(name.toLowerCase())
    if (command === undefined) {
      const help = `Try ${container.toUpperCase()} HELP.`
      throw new ReplyError(`ERR unknown subcommand '${name.slice(0, SHOWN)}'. ${help}`)
    }
    if (!fits(command, request)) throw wrongArity(`${container}|${name}`)
    return command.run(request, session)
  }
}

/** @param {string} name */
export function wrongArity(name) {
  return new ReplyError(`ERR wrong number of arguments for '${name.toLowerCase()}' command`)
}

export function syntaxError() {
  return new ReplyError('ERR syntax error')
}

/**
 * @param {Command} command
 * @param {Request} request
 */
function fits({ arity }, request) {
  return arity < 0 ? request.length >= -arity : request.length === arity
}

/**
 * @param {string} name
 * @param {Request} request
 */
function unknownCommand(name, request) {
  let shown = ''
  for (let at = 1; at < request.length && shown.length < SHOWN; at++) {
    shown += `'${text(request[at]).slice(0, SHOWN - shown.length)}' `
  }
  const start = `ERR unknown command '${name.slice(0, SHOWN)}'`
  return new ReplyError(`${start}, with args beginning with: ${shown}`)
}
