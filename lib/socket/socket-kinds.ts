/** Checks that a kind of socket has the options that are set. */

import { MillraceError } from '../errors.js'

/** The kinds of socket: `'inherited'` is one that already listens. */
export type SocketKind = 'tcp' | 'unix' | 'inherited'

/** The options that a Unix socket has. */
const UNIX_OPTIONS: ReadonlySet<string> = new Set([
  'receiveBuffer',
  'sendBuffer',
  'backlog',
  'mode',
])
/** The options that only a Unix socket has. */
const UNIX_ONLY_OPTIONS: ReadonlySet<string> = new Set(['mode'])
/** The options that cannot change once a socket listens. */
const FIXED_OPTIONS: ReadonlySet<string> = new Set([
  'backlog',
  'mode',
  'reusePort',
  'ipv6Only',
  'bindToDevice',
])

/**
 * Refuses options that a kind of socket does not have.
 *
 * @param names the options that are set for this one socket. (The options of a whole server are ignored
 *   for sockets that do not have them.)
 * @throws `ERR_INVALID_OPTION`
 */
export function checkKind(names: Iterable<string>, kind: SocketKind): void {
  for (const name of names) {
    if (kind === 'inherited') {
      if (FIXED_OPTIONS.has(name))
        throw refusal(`${name} cannot change on a socket that already listens: leave it out`)
    } else if (kind === 'unix') {
      if (!UNIX_OPTIONS.has(name))
        throw refusal(`a Unix socket does not have the option ${name}: leave it out`)
    } else if (UNIX_ONLY_OPTIONS.has(name)) {
      throw refusal(`a TCP socket does not have the option ${name}: leave it out`)
    }
  }
}

function refusal(message: string): MillraceError {
  return new MillraceError('ERR_INVALID_OPTION', message)
}
