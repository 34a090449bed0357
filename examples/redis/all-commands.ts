/** The table of all commands. */

import { type Command, CommandTable, subcommands } from './command-table.ts'
import { administration } from './commands/administration.ts'
import { connection } from './commands/connection.ts'
import { counters } from './commands/counters.ts'
import { keys } from './commands/keys.ts'
import { strings } from './commands/strings.ts'

/** `redis-cli` asks for these to help with typing, and works without an answer. */
const describe: Command['run'] = subcommands('command', {
  count: { arity: 2, run: () => commands.size },
  docs: { arity: -2, run: () => [] },
  info: { arity: -2, run: () => [] },
})

export const commands: CommandTable = new CommandTable({
  ...strings,
  ...counters,
  ...keys,
  ...connection,
  ...administration,
  command: {
    arity: -1,
    run: (request, session) => (request.length === 1 ? [] : describe(request, session)),
  },
})
