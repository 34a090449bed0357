/** Calls handlers of the user. */

import { toError } from '../errors.js'
import { isThenable } from './thenable.js'

/**
 * Calls a handler.
 *
 * @param failed gets what the handler throws, or what the promise that it returned rejects with
 */
export function callHandler(handler: () => unknown, failed: (error: Error) => void): void {
  try {
    const result = handler()
    if (isThenable(result)) {
      result.then(undefined, (reason: unknown) => failed(toError(reason)))
    }
  } catch (thrown) {
    failed(toError(thrown))
  }
}
