// @ts-check
/** All commands that there are. */

import { CommandTable, subcommands } from './command.js'
import { administration } from './commands/administration.js'
import { connection } from './commands/connection.js'
import { counters } from './commands/counters.js'
import { keys } from './commands/keys.js'
import { strings } from './commands/strings.js'

/** What `redis-cli` asks for to help with typing: it does without. */
const describe = subcommands('command', {
  count: { arity: 2, run: () => commands.size },
  docs: { arity: -2, run: () => [] },
  info: { arity: -2, run: () => [] },
})

export const commands = new CommandTable({
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
