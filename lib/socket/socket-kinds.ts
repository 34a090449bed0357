/** Which options each kind of socket has. */

import { MillraceError } from '../errors.js'

/** The kind of socket that options are asked of. */
export type SocketKind = 'tcp' | 'unix' | 'inherited'

/** The options that a Unix socket has. */
const OF_UNIX: ReadonlySet<string> = new Set(['receiveBuffer', 'sendBuffer', 'backlog', 'mode'])
/** The options that only a Unix socket has. */
const ONLY_UNIX: ReadonlySet<string> = new Set(['mode'])
/** The options that cannot change once a socket listens. */
const SETTLED: ReadonlySet<string> = new Set([
  'backlog',
  'mode',
  'reusePort',
  'ipv6Only',
  'bindToDevice',
])

/**
 * Refuses options that a kind of socket does not have.
 *
 * @param names the options that were given for this one socket; options for a whole server are ignored
 *   where they do not apply
 * @throws `ERR_INVALID_OPTION`
 */
export function checkKind(names: Iterable<string>, kind: SocketKind): void {
  for (const name of names) {
    if (kind === 'inherited') {
      if (SETTLED.has(name)) throw refusal(`${name} cannot change on a socket that already listens`)
    } else if (kind === 'unix') {
      if (!OF_UNIX.has(name)) throw refusal(`a Unix socket does not have the option ${name}`)
    } else if (ONLY_UNIX.has(name)) {
      throw refusal(`a TCP socket does not have the option ${name}`)
    }
  }
}

function refusal(message: string): MillraceError {
  return new MillraceError('ERR_INVALID_OPTION', message)
}
