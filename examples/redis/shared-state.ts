/** What all connections of a server share. */

import { Database } from './database.ts'

/** Redis has 16 databases by default; `SELECT` chooses one. */
const DATABASES = 16

export class SharedState {
  databases: Database[] = Array.from({ length: DATABASES }, () => new Database())
  /** Open connections. */
  clients = 0
  commandsRun = 0
  startedAt: number = Date.now()
}
