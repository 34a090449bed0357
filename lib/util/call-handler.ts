/** Calls a user's handler and catches what it throws. */

import { toError } from '../errors.js'
import { isThenable } from './thenable.js'

/** Calls a handler; `failed` gets what the handler throws, or what its promise rejects with. */
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
