/** The implementation of `Listener`: the sockets of one entry of `listen`, and their connections. */

import { closeSync } from 'node:fs'
import { portOf } from '../address/format.js'
import type { Conn } from '../connection/conn.js'
import { ConnImpl } from '../connection/conn-impl.js'
import { type ConnOwner, Profile } from '../connection/profile.js'
import { MillraceError } from '../errors.js'
import { closeListener, duplicateListener, pauseListener } from '../native/binding.js'
import { KIND_ACCEPT_ERROR, KIND_LISTENER_CLOSED } from '../native/record.js'
import { systemError } from '../native/system-error.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import type { Loop } from '../runtime/loop.js'
import type { Origin } from '../runtime/origin.js'
import type { Answer } from '../runtime/questions.js'
import { deferred, unawaited } from '../util/deferred.js'
import { showAs } from '../util/inspect.js'
import type { Scope } from '../util/scope.js'
import { type BoundListener, GROUP_ACCEPTOR } from './bind-listener.js'
import { type BroadcastOptions, broadcast } from './broadcast.js'
import { connsOf } from './conns-of.js'
import { type CloseOptions, Draining } from './draining.js'
import type { Listener } from './listener.js'

/** What a loop answers if it has no such listener. */
const GONE = -1

/** The server of a listener, as the listener needs it. */
export interface ListenerServer {
  /** A connection of the listener has opened. */
  connOpened(conn: ConnImpl, listener: ListenerImpl): void
  /** A connection of the listener has closed. Calls its `close` handler. */
  connClosed(conn: ConnImpl, error: Error | undefined): void
  /** See `ConnOwner`. */
  connFailed(conn: ConnImpl, error: Error): void
  /** Accepting has failed. */
  acceptFailed(error: Error, listener: ListenerImpl): void
  /** The listener has begun to close. */
  listenerStopping(listener: ListenerImpl): void
  /** No loop will report connections of the listener any more. */
  listenerStopped(): void
  /** The listener and all of its connections are closed. */
  listenerClosed(listener: ListenerImpl): void
  /** A loop has panicked. */
  loopLost(loop: Loop): void
}

/** See {@link Listener}. */
export class ListenerImpl implements Origin, ConnOwner, Listener<unknown, unknown, unknown> {
  /** Names the listener in records. */
  readonly number: number
  readonly server: ListenerServer
  readonly profile: Profile
  readonly addresses: readonly string[]
  /** Whether its messages are of other types than its server's. */
  readonly hasOwnTypes: boolean
  readonly #group: Group
  /** Who accepts: places of loops in the group, or `GROUP_ACCEPTOR`. */
  readonly #acceptors: readonly number[]
  readonly #socketCount: number
  /** The loops that may still report connections of the listener. */
  readonly #tellingLoops: Set<Loop>
  readonly #stopped = deferred<void>()
  #isStopping = false
  readonly #draining: Draining = new Draining({
    kind: 'listener',
    conns: () => this,
    stop: () => {
      this.stop()
      return this.stopped
    },
    finished: () => this.forget(),
  })

  constructor(server: ListenerServer, group: Group, bound: BoundListener) {
    const { settings } = bound
    this.server = server
    this.profile = new Profile(this, settings, settings.handlers)
    this.number = bound.number
    this.addresses = Object.freeze(bound.addresses)
    this.hasOwnTypes = settings.hasOwnTypes
    this.#group = group
    this.#acceptors = bound.acceptors
    this.#socketCount = bound.socketCount
    // A loop that panicked before will say nothing.
    this.#tellingLoops = new Set(group.loops.filter((loop) => !loop.isLost))
    if (this.#tellingLoops.size === 0) this.#stopped.resolve()
  }

  get scope(): Scope {
    return this.profile.scope
  }

  get address(): string {
    return this.addresses[0] as string
  }

  get port(): number | undefined {
    return portOf(this.addresses[0])
  }

  get connections(): number {
    return this.#draining.count
  }

  *[Symbol.iterator](): Iterator<ConnImpl> {
    for (const conn of connsOf(this.#group.loops)) {
      if (conn.profile.owner === this) yield conn
    }
  }

  broadcast(message: unknown, options: BroadcastOptions<Conn> = {}): number {
    return broadcast(this, (conn) => conn.profile.owner === this, message, options)
  }

  pause(): Promise<void> {
    return unawaited(this.#setPaused(true))
  }

  resume(): Promise<void> {
    return unawaited(this.#setPaused(false))
  }

  async #setPaused(isPaused: boolean): Promise<void> {
    const { handle } = theEnvironment()
    await this.#ask('listen', (acceptor, ticket) =>
      pauseListener(handle, this.#group.number, acceptor, this.number, isPaused, ticket),
    )
  }

  dup(): Promise<number> {
    return unawaited(this.#dup())
  }

  async #dup(): Promise<number> {
    if (process.platform === 'win32')
      throw new MillraceError('ERR_UNSUPPORTED', 'sockets cannot be handed over on Windows')
    if (this.#socketCount > 1)
      throw new MillraceError('ERR_UNSUPPORTED', `${this.address} has several sockets`)
    const { handle } = theEnvironment()
    const [answer] = await this.#ask(
      'dup',
      (acceptor, ticket) =>
        duplicateListener(handle, this.#group.number, acceptor, this.number, ticket),
      // The caller was rejected, so nobody else will close the descriptor.
      ({ errno, value }) => void (errno === 0 && closeSync(value)),
    )
    return (answer as Answer).value
  }

  /**
   * Asks everybody who accepts for the listener.
   *
   * @param syscall what the system's error will name
   */
  async #ask(
    syscall: string,
    put: (acceptor: number, ticket: number) => void,
    late?: (answer: Answer) => void,
  ): Promise<Answer[]> {
    if (this.#isStopping) throw notListening(this.address)
    const { questions } = theEnvironment()
    const { loops } = this.#group
    const alive = this.#acceptors.filter((acceptor) => !loops[acceptor]?.isLost)
    // If none is left, asking the first one tells why.
    const acceptors = alive.length > 0 ? alive : this.#acceptors.slice(0, 1)
    const asked = acceptors.map((acceptor) => {
      const loop = loops[acceptor]
      return questions.ask(
        loop === undefined ? loops : [loop],
        (ticket) => put(acceptor, ticket),
        late,
      )
    })
    // The loops have to go on until they have answered: a descriptor that nobody takes would leak.
    this.#group.join()
    try {
      const answers = await Promise.all(asked)
      for (const { errno } of answers) {
        if (errno === GONE) throw notListening(this.address)
        if (errno !== 0) throw systemError(errno, syscall, { address: this.address })
      }
      return answers
    } finally {
      this.#group.leave()
    }
  }

  close(options: CloseOptions = {}): Promise<void> {
    return this.#draining.close(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // ---- what its server calls ----

  /** Accepts the connections that are there, and stops listening. */
  stop(): void {
    if (this.#isStopping) return
    this.#isStopping = true
    const { handle } = theEnvironment()
    const { loops, number } = this.#group
    for (const acceptor of this.#acceptors) {
      if (!loops[acceptor]?.isLost) closeListener(handle, number, acceptor, this.number)
    }
    if (this.#acceptors[0] !== GROUP_ACCEPTOR) this.#forgetOtherLoops()
    this.server.listenerStopping(this)
  }

  /** The loops that accept for themselves tell when they have stopped; the others never had a socket. */
  #forgetOtherLoops(): void {
    for (const [place, loop] of this.#group.loops.entries()) {
      if (!this.#acceptors.includes(place)) this.#stoppedOn(loop)
    }
  }

  /** Whether a loop may still report connections of the listener. */
  get isListening(): boolean {
    return this.#tellingLoops.size > 0
  }

  /** Resolves once every loop has reported every connection that it accepted. */
  get stopped(): Promise<void> {
    return this.#stopped.promise
  }

  /** Says that no record will name the listener any more. */
  forget(): void {
    theEnvironment().origins.delete(this.number)
    this.server.listenerClosed(this)
  }

  // ---- what its connections call ----

  connOpened(conn: ConnImpl): void {
    this.#draining.connOpened(conn)
    this.server.connOpened(conn, this)
  }

  connClosed(conn: ConnImpl, error: Error | undefined): void {
    this.server.connClosed(conn, error)
    this.#draining.connClosed()
  }
  connFailed(conn: ConnImpl, error: Error): void {
    this.server.connFailed(conn, error)
  }

  // ---- what its loops call ----

  onOpen(loop: Loop, slot: number, generation: number, view: DataView, at: number): void {
    const conn = new ConnImpl(loop, slot, generation, this.profile, view, at)
    loop.conns[slot] = conn
    conn.opened()
  }

  onNews(kind: number, loop: Loop, errno: number): void {
    if (kind === KIND_LISTENER_CLOSED) this.#stoppedOn(loop)
    else if (kind === KIND_ACCEPT_ERROR)
      this.server.acceptFailed(systemError(errno, 'accept', { address: this.address }), this)
  }

  #stoppedOn(loop: Loop): void {
    if (!this.#tellingLoops.delete(loop) || this.#tellingLoops.size > 0) return
    this.#stopped.resolve()
    this.server.listenerStopped()
  }

  onLoopLost(loop: Loop): void {
    if (!this.#group.loops.includes(loop)) return
    this.server.loopLost(loop)
    this.#stoppedOn(loop)
  }
}

function notListening(address: string): MillraceError {
  return new MillraceError('ERR_CLOSED', `the listener on ${address} is closed`)
}

showAs(ListenerImpl, 'Listener', ({ addresses, connections }) => ({ addresses, connections }))
