/** The async context of a call: what `AsyncLocalStorage` stores had there. */

import { AsyncResource } from 'node:async_hooks'

/**
 * The async context of the `serve`, `connect` or `bind` call in which it is made. The handlers that were given there
 * run in it, whoever has caused the event.
 */
export class Scope extends AsyncResource {
  constructor() {
    super('millrace', { requireManualDestroy: true })
  }
}
