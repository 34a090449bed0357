// @ts-check
/** What all connections of a server share: its databases. */

import { Store } from './store.js'

const DATABASES = 16

export class Instance {
  stores = Array.from({ length: DATABASES }, () => new Store())
  /** Connections that are open. */
  clients = 0
  /** Commands that were run. */
  commands = 0
  startedAt = Date.now()
}
