/** Checks the paths of Unix sockets, and converts them for system calls. */

import { MillraceError } from '../errors.js'
import type { UnixAddress } from './socket-address.js'

/** The longest path of a Unix socket in bytes: the size of `sun_path` without its final zero byte. */
const MAX_PATH = process.platform === 'linux' ? 107 : 103

/**
 * Checks the path of a Unix socket.
 *
 * @param path a path, or `@` and an abstract name
 * @param shown the address that has the path, for messages
 * @param example an address of the same form with a path, for messages
 * @throws `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED`
 */
export function unixAddress(path: string, shown: string, example: string): UnixAddress {
  const invalid = (why: string) =>
    new MillraceError('ERR_INVALID_ADDRESS', `${shown} has ${why}, such as ${example}`)
  if (process.platform === 'win32')
    throw new MillraceError('ERR_UNSUPPORTED', 'Unix sockets are not supported on Windows')
  if (path === '') throw invalid('no path: write one')
  if (path === '@') throw invalid('no name behind @: write an abstract name or a path')
  if (path.includes('\0')) throw invalid('a zero byte in its path: write one without')
  if (path.startsWith('@') && process.platform !== 'linux')
    throw new MillraceError(
      'ERR_UNSUPPORTED',
      'abstract names of Unix sockets are supported on Linux only',
    )
  const bytes = Buffer.byteLength(path)
  if (bytes > MAX_PATH)
    throw invalid(`a path of ${bytes} bytes: write one of at most ${MAX_PATH} bytes`)
  return { kind: 'unix', path }
}

/** Encodes a path for system calls, where an abstract name begins with a zero byte. */
export function unixName(path: string): Buffer {
  const name = Buffer.from(path)
  if (path.startsWith('@')) name[0] = 0
  return name
}

/** Decodes a path from system calls. An abstract name gets its `@` back. */
export function showPath(name: Buffer): string {
  const path = name.toString()
  return path.startsWith('\0') ? `@${path.slice(1)}` : path
}
