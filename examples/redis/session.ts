/** What the server knows about one connection: `conn.context`. */

import type { Database } from './database.ts'
import type { SharedState } from './shared-state.ts'

export class Session {
  /** The connection's number. */
  id = 0
  /** The name that the client gave itself. */
  name = ''
  /** The client said QUIT: the connection ends after this reply. */
  hasQuit = false
  readonly shared: SharedState
  /** The database that the client selected. */
  database: Database

  constructor(shared: SharedState) {
    this.shared = shared
    this.database = shared.databases[0] as Database
  }
}
