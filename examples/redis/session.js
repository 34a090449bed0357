// @ts-check
/** What a server knows of one connection. */

/** @import { Instance } from './instance.js' */
/** @import { Store } from './store.js' */

export class Session {
  /** The connection's number. */
  id = 0
  /** What the client calls itself. */
  name = ''
  /** It said QUIT: its last reply is on the way. */
  isEnding = false

  /** @param {Instance} instance */
  constructor(instance) {
    this.instance = instance
    /** The database that it selected. @type {Store} */
    this.store = /** @type {Store} */ (instance.stores[0])
  }
}
