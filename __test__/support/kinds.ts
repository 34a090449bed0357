import type { ExecutionContext } from 'ava'
import { freePath } from './paths.js'
import { ANY } from './serve.js'

/** A kind of stream sockets. */
export type Kind = 'tcp' | 'unix'

/** The kinds of stream sockets that this system has. */
export const KINDS: readonly Kind[] = process.platform === 'win32' ? ['tcp'] : ['tcp', 'unix']

/** Where a server of that kind may listen: on a port that the system chooses, or on an unused path. */
export function listenOn(t: ExecutionContext, kind: Kind): string | { path: string } {
  return kind === 'tcp' ? ANY : { path: freePath(t) }
}
