/** A listening socket of a server. */

import { systemError } from './close-error.js'
import { Connection } from './connection.js'
import { deferred } from './extras.js'
import type { Handlers } from './handlers.js'
import type { Loop } from './loop.js'
import type { ConnSettings } from './options.js'
import { Profile } from './profile.js'
import { KIND_ACCEPT_ERROR, KIND_LISTENER_CLOSED } from './record.js'
import type { AnyServer } from './server.js'
import type { Source } from './source.js'

export class Listener extends Profile implements Source {
  readonly number: number
  readonly server: AnyServer
  /** Its address, as `addresses` shows it. */
  readonly address: string
  /** Loops that have not said yet that they have nothing more of it. */
  readonly #open: Set<Loop>
  readonly #closed = deferred<void>()

  constructor(
    number: number,
    server: AnyServer,
    settings: ConnSettings,
    handlers: Handlers<unknown, unknown, unknown>,
    address: string,
    loops: readonly Loop[],
  ) {
    super(server, settings, handlers)
    this.number = number
    this.server = server
    this.address = address
    // A loop that was lost before says nothing any more.
    this.#open = new Set(loops.filter((loop) => !loop.isDead))
  }

  /** Resolves once every loop has told of every connection that it accepted. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  opens(loop: Loop, slot: number, generation: number, view: DataView, at: number): void {
    const conn = new Connection(loop, slot, generation, this, view, at)
    loop.slots[slot] = conn
    conn.opened()
  }

  told(kind: number, loop: Loop, errno: number): void {
    if (kind === KIND_LISTENER_CLOSED) this.#closedOn(loop)
    else if (kind === KIND_ACCEPT_ERROR)
      this.server.report(systemError(errno, 'accept', { address: this.address }))
  }

  #closedOn(loop: Loop): void {
    this.#open.delete(loop)
    if (this.#open.size === 0) this.#closed.resolve()
  }

  /** A loop is lost; with the last one the server is. */
  lost(loop: Loop): void {
    if (this.server.loops.includes(loop)) {
      this.server.lost(loop)
      this.#closedOn(loop)
    }
  }
}
