/** A listener of a server: the sockets of one entry of `listen`, and their connections. */

import { closeSync } from 'node:fs'
import { portOf } from '../address/format.js'
import { systemError } from '../connection/close-error.js'
import { deferred, unawaited } from '../connection/cold-state.js'
import type { Conn } from '../connection/conn.js'
import { ConnImpl } from '../connection/conn-impl.js'
import { Profile } from '../connection/profile.js'
import { MillraceError } from '../errors.js'
import { closeListener, duplicateListener, pauseListener } from '../native/binding.js'
import { KIND_ACCEPT_ERROR, KIND_LISTENER_CLOSED } from '../native/record.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import type { Loop } from '../runtime/loop.js'
import type { Origin } from '../runtime/origin.js'
import type { Answer } from '../runtime/questions.js'
import type { BoundListener } from './bind-listener.js'
import { type BroadcastOptions, broadcast } from './broadcast.js'
import { type CloseOptions, Draining } from './draining.js'
import type { AnyServer } from './server.js'

/** A listener of a server: what one entry of `listen` came to. */
export interface Listener<In = unknown, Out = never, Context = unknown>
  extends AsyncDisposable,
    Iterable<Conn<In, Out, Context>> {
  /** Where it listens: `tcp://127.0.0.1:9000`. The first of them, where it listens on several. */
  readonly address: string
  /** A host name may have several addresses; what listens on one port for several loops has one. */
  readonly addresses: readonly string[]
  /** The port of `address`; `undefined` for a Unix socket. */
  readonly port: number | undefined
  /** Its connections that are open. */
  readonly connections: number
  /** Writes a message to all of its connections, or to a group of them; how many those were. Throws as `server.broadcast`. */
  broadcast(message: Out, options?: BroadcastOptions<Conn<In, Out, Context>>): number
  /**
   * Accepts nothing more; the kernel's backlog holds those who connect. Resolves when that is so:
   * connections accepted before may still open. Rejects with `ERR_CLOSED` once it is closed, with
   * `ERR_LOOP_PANIC` if the loops that accept of it are lost.
   */
  pause(): Promise<void>
  /** Accepts again, first those whom the backlog holds. Rejects as `pause` does. */
  resume(): Promise<void>
  /**
   * A duplicate of its descriptor, to be handed to another process, for instance as one of `stdio` of
   * `spawn`, which there listens on `fd://3`. It is yours to close. From then on both accept, each
   * what it is quicker to take, until one closes; the path of a Unix socket is not removed any more.
   *
   * Rejects as `pause` does; with `ERR_UNSUPPORTED` on Windows, or where it has several sockets; with
   * the system's error (`EMFILE`).
   */
  dup(): Promise<number>
  /**
   * Closes this listener as `server.close` closes all of them: accepts what is there and stops
   * listening, delivers what was received by then, ends each of its connections once its handlers'
   * promises are settled, destroys what is left after `timeout` milliseconds (default 30,000) with
   * `ERR_CLOSE_TIMEOUT`. Other listeners and their connections do not notice. A second call shares the
   * first one's promise.
   */
  close(options?: CloseOptions): Promise<void>
}

/** A lane's loop has nothing of a listener any more. */
const GONE = -1

/** The one implementation. */
export class ListenerImpl extends Profile implements Origin, Listener<unknown, unknown, unknown> {
  readonly number: number
  readonly server: AnyServer
  readonly addresses: readonly string[]
  /** Its messages are of other types than its server's. */
  readonly isOwn: boolean
  readonly #group: Group
  readonly #lanes: readonly number[]
  readonly #sockets: number
  /** Loops that have not said yet that they have nothing more of it. */
  readonly #open: Set<Loop>
  readonly #closed = deferred<void>()
  #isStopping = false
  readonly #closing: Draining = new Draining({
    what: 'listener',
    conns: () => this,
    stop: () => {
      this.stop()
      return this.closed
    },
    over: () => this.forget(),
  })

  constructor(server: AnyServer, group: Group, bound: BoundListener) {
    const { settings } = bound
    super(server, settings, settings.handlers)
    this.server = server
    this.number = bound.number
    this.addresses = Object.freeze(bound.addresses)
    this.isOwn = settings.isOwn
    this.#group = group
    this.#lanes = bound.lanes
    this.#sockets = bound.sockets
    // A loop that was lost before says nothing any more.
    this.#open = new Set(group.loops.filter((loop) => !loop.isDead))
    if (this.#open.size === 0) this.#closed.resolve()
  }

  get address(): string {
    return this.addresses[0] as string
  }

  get port(): number | undefined {
    return portOf(this.addresses[0])
  }

  get connections(): number {
    return this.#closing.count
  }

  *[Symbol.iterator](): Iterator<ConnImpl> {
    for (const loop of this.#group.loops) {
      for (const conn of loop.slots) {
        if (conn?.profile === this) yield conn
      }
    }
  }

  broadcast(
    message: unknown,
    options: BroadcastOptions<Conn<unknown, unknown, unknown>> = {},
  ): number {
    return broadcast(this, (conn) => conn.profile === this, message, options)
  }

  pause(): Promise<void> {
    return unawaited(this.#pause(true))
  }

  resume(): Promise<void> {
    return unawaited(this.#pause(false))
  }

  async #pause(isPaused: boolean): Promise<void> {
    const { handle } = theEnvironment()
    await this.#ask('listen', (lane, ticket) =>
      pauseListener(handle, this.#group.number, lane, this.number, isPaused, ticket),
    )
  }

  dup(): Promise<number> {
    return unawaited(this.#dup())
  }

  async #dup(): Promise<number> {
    if (process.platform === 'win32')
      throw new MillraceError('ERR_UNSUPPORTED', 'sockets are not handed over on Windows')
    if (this.#sockets > 1)
      throw new MillraceError('ERR_UNSUPPORTED', `${this.address} has several sockets`)
    const { handle } = theEnvironment()
    const [answer] = await this.#ask(
      'dup',
      (lane, ticket) => duplicateListener(handle, this.#group.number, lane, this.number, ticket),
      // Nobody will ever have it.
      ({ errno, value }) => void (errno === 0 && closeSync(value)),
    )
    return (answer as Answer).value
  }

  /** Asks all who accept of it; `syscall` is what the system's error is said to be of. */
  async #ask(
    syscall: string,
    put: (lane: number, ticket: number) => void,
    late?: (answer: Answer) => void,
  ): Promise<Answer[]> {
    if (this.#isStopping) throw closed(this.address)
    const { questions } = theEnvironment()
    const { loops } = this.#group
    const alive = this.#lanes.filter((lane) => !loops[lane]?.isDead)
    // Of several sockets those are meant that are left; where none is, the first says why.
    const lanes = alive.length > 0 ? alive : this.#lanes.slice(0, 1)
    const asked = lanes.map((lane) => {
      const loop = loops[lane]
      return questions.ask(loop === undefined ? loops : [loop], (ticket) => put(lane, ticket), late)
    })
    // Its loops go on until they have answered: a descriptor that nobody takes is lost.
    this.#group.join()
    try {
      const answers = await Promise.all(asked)
      for (const { errno } of answers) {
        if (errno === GONE) throw closed(this.address)
        if (errno !== 0) throw systemError(errno, syscall, { address: this.address })
      }
      return answers
    } finally {
      this.#group.leave()
    }
  }

  close(options: CloseOptions = {}): Promise<void> {
    return this.#closing.close(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // ---- for its server, its connections and its loops ----

  /** Accepts once more and stops listening. */
  stop(): void {
    if (this.#isStopping) return
    this.#isStopping = true
    const { handle } = theEnvironment()
    const { loops, number } = this.#group
    for (const lane of this.#lanes) {
      if (!loops[lane]?.isDead) closeListener(handle, number, lane, this.number)
    }
    if (this.#lanes[0] !== undefined && this.#lanes[0] >= 0) this.#forgetOtherLoops()
    this.server.stopping(this)
  }

  /** Loops that were never given a socket of it say nothing. */
  #forgetOtherLoops(): void {
    for (const [lane, loop] of this.#group.loops.entries()) {
      if (!this.#lanes.includes(lane)) this.#closedOn(loop)
    }
  }

  /** A loop may still tell of connections. */
  get isListening(): boolean {
    return this.#open.size > 0
  }

  /** Resolves once every loop has told of every connection that it accepted. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  /** Nothing will be said of it any more. */
  forget(): void {
    theEnvironment().sources.delete(this.number)
    this.server.forgot(this)
  }

  opens(loop: Loop, slot: number, generation: number, view: DataView, at: number): void {
    const conn = new ConnImpl(loop, slot, generation, this, view, at)
    loop.slots[slot] = conn
    conn.opened()
  }

  opened(conn: ConnImpl): void {
    this.#closing.opened(conn)
  }

  /** One of its connections is gone, and has heard of it. */
  left(): void {
    this.#closing.left()
  }

  told(kind: number, loop: Loop, errno: number): void {
    if (kind === KIND_LISTENER_CLOSED) this.#closedOn(loop)
    else if (kind === KIND_ACCEPT_ERROR)
      this.server.report(systemError(errno, 'accept', { address: this.address }), undefined, this)
  }

  #closedOn(loop: Loop): void {
    if (!this.#open.delete(loop) || this.#open.size > 0) return
    this.#closed.resolve()
    this.server.stopped()
  }

  /** A loop is lost; with the last one the server is. */
  lost(loop: Loop): void {
    if (this.server.loops.includes(loop)) {
      this.server.lost(loop)
      this.#closedOn(loop)
    }
  }
}

function closed(address: string): MillraceError {
  return new MillraceError('ERR_CLOSED', `${address} is not listened on any more`)
}
