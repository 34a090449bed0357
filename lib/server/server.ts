/** A server: its listeners, its connections, and how it comes to an end. */

import { portOf } from '../address/format.js'
import { resolve } from '../address/resolve.js'
import { unawaited } from '../connection/cold-state.js'
import type { Conn } from '../connection/conn.js'
import type { ConnImpl } from '../connection/conn-impl.js'
import type { Handlers } from '../connection/handlers.js'
import type { Owner } from '../connection/profile.js'
import { Reporter } from '../connection/report.js'
import { MillraceError } from '../errors.js'
import { counters, dropService } from '../native/binding.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import type { Loop } from '../runtime/loop.js'
import { BoundListener } from './bind-listener.js'
import { type BroadcastOptions, broadcast } from './broadcast.js'
import { type CloseOptions, Draining } from './draining.js'
import type { ListenEntry, ListenerSpec } from './listen-entry.js'
import { type Listener, ListenerImpl } from './listener.js'
import type { Settings } from './options.js'

/** What an event loop has counted since it started, for all servers that use it. */
export interface LoopStats {
  /** Its number, as in `conn.loop`. */
  readonly loop: number
  /** Connections opened. */
  readonly opened: number
  /** Connections closed. */
  readonly closed: number
  /** Bytes received. */
  readonly bytesRead: number
  /** Bytes that the kernel took. */
  readonly bytesWritten: number
  /** Frames and chunks handed to JavaScript. */
  readonly recordsIn: number
  /** Writes and commands taken from JavaScript. */
  readonly recordsOut: number
  /** Turns of the loop. */
  readonly turns: number
}

/** A server's counts at one moment. */
export interface ServerStats {
  /** Connections that are open. */
  readonly connections: number
  /** The loops it uses. */
  readonly loops: readonly LoopStats[]
}

/** A server that is listening, or was. */
export interface Server<In = Buffer, Out = Uint8Array | string, Context = undefined>
  extends AsyncDisposable,
    Iterable<Conn<In, Out, Context>> {
  /** The addresses of its listeners, in the order of `listen`: `tcp://127.0.0.1:9000`. */
  readonly addresses: readonly string[]
  /** The port of the first of its addresses; `undefined` if that is a Unix socket. */
  readonly port: number | undefined
  /** Its listeners that are not closed or closing: one for each entry of `listen`, and what was added. */
  readonly listeners: readonly Listener[]
  /** Connections that are open, of all listeners. */
  readonly connections: number
  /**
   * Listens on one more entry, as of `listen`. A server whose listeners are all closed stays, and may
   * be given others; meanwhile it does not keep the process alive.
   *
   * Rejects with `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED` or the system's error of
   * binding, and nothing is bound then; with `ERR_CLOSED` once the server is closing.
   */
  listen<OwnIn, OwnOut, OwnData>(
    spec: ListenerSpec<OwnIn, OwnOut, OwnData>,
  ): Promise<Listener<OwnIn, OwnOut, OwnData>>
  listen(
    entry: string | number | ListenEntry<In, Out, Context>,
  ): Promise<Listener<In, Out, Context>>
  /**
   * A duplicate of the descriptor of a listener's socket, for another process: see
   * `Listener.dup`. `address` is one of `addresses`, and can be left out if there is one listener.
   *
   * Rejects with `ERR_INVALID_ADDRESS` if there is no such listener, or no address where there are
   * several; else as `Listener.dup`.
   */
  dup(address?: string): Promise<number>
  stats(): ServerStats
  /** The open connection of that `id`, but for those of a `listener` with types of its own. */
  get(id: number): Conn<In, Out, Context> | undefined
  /**
   * Writes a message to all connections, or to a group of them, each under its own backpressure. As
   * iteration does, it passes over those of a `listener` with types of its own.
   *
   * @returns how many it was written to
   * @throws `ERR_INVALID_OPTION`; what `encode` or the framing throws: nothing was sent then, except
   *   where each connection has a codec of its own, to those before
   */
  broadcast(message: Out, options?: BroadcastOptions<Conn<In, Out, Context>>): number
  /**
   * Accepts what is already there and stops listening; delivers what was received by then; ends each
   * connection once its handlers' promises are settled; destroys what is left after `timeout`
   * milliseconds (default 30,000) with `ERR_CLOSE_TIMEOUT`. Resolves when every `close` has run. A
   * second call shares the first one's promise.
   *
   * @throws `ERR_INVALID_OPTION`
   */
  close(options?: CloseOptions): Promise<void>
  /** Keeps the process alive while it listens; the default. */
  ref(): this
  /** Lets the process end while it listens. */
  unref(): this
}

/** A server whatever its messages are. */
export type AnyServer = ServerImpl

/** The one implementation. */
export class ServerImpl implements Server<unknown, unknown, unknown>, Owner {
  readonly #group: Group
  readonly #service: number
  readonly #handlers: Handlers<unknown, unknown, unknown>
  /** Checks an entry of `listen` with this server's options. */
  readonly #entry: Settings['entry']
  /** Those that are not closing, in order. */
  #listeners: readonly ListenerImpl[] = []
  #addresses: readonly string[] = []
  /** Those that are closing, too. */
  readonly #all = new Set<ListenerImpl>()
  /** By id, from the first `get` on. */
  #byId: Map<number, ConnImpl> | undefined
  #isRefed = true
  #isListening = false
  #isClosing = false
  #isStopped = false
  #onStopped: (() => void) | undefined
  readonly #closing: Draining = new Draining({
    what: 'server',
    conns: () => this.#conns(),
    stop: () => this.#stop(),
    over: () => this.#over(),
  })
  readonly #lostLoops = new Set<Loop>()
  readonly #reporter = new Reporter()

  constructor(
    group: Group,
    service: number,
    entry: Settings['entry'],
    handlers: Handlers<unknown, unknown, unknown>,
  ) {
    this.#group = group
    this.#service = service
    this.#entry = entry
    this.#handlers = handlers
  }

  /** Accepts of what is bound, from now on. */
  start(bounds: readonly BoundListener[]): ListenerImpl[] {
    // Only the first can fail, for want of a thread. Nothing is heard of them before this returns.
    for (const bound of bounds) bound.accept()
    const started = bounds.map((bound) => new ListenerImpl(this, this.#group, bound))
    for (const listener of started) {
      theEnvironment().sources.set(listener.number, listener)
      this.#all.add(listener)
    }
    this.#setListeners([...this.#listeners, ...started])
    this.#holdWhileListening()
    return started
  }

  #setListeners(listeners: ListenerImpl[]): void {
    this.#listeners = Object.freeze(listeners)
    this.#addresses = Object.freeze(listeners.flatMap((listener) => listener.addresses))
  }

  async listen(entry: unknown): Promise<Listener<unknown, unknown, unknown>> {
    this.#refuseIfClosing()
    if (this.loops.every((loop) => loop.isDead))
      throw new MillraceError('ERR_LOOP_PANIC', 'all event loops of the server are lost')
    const settings = this.#entry(entry)
    const addresses = await resolve(settings.address)
    this.#refuseIfClosing()
    const bound = new BoundListener(this.#group, this.#service, settings, addresses)
    try {
      return this.start([bound])[0] as ListenerImpl
    } catch (error) {
      bound.giveUp()
      throw error
    }
  }

  #refuseIfClosing(): void {
    if (this.#isClosing) throw new MillraceError('ERR_CLOSED', 'the server is closed, or closing')
  }

  dup(address?: string): Promise<number> {
    return unawaited(this.#dup(address))
  }

  async #dup(address?: string): Promise<number> {
    this.#refuseIfClosing()
    const [found, ...others] = this.#listeners.filter(
      (listener) => address === undefined || listener.addresses.includes(address),
    )
    if (found === undefined || others.length > 0) {
      const what = address === undefined ? 'which socket has to be said' : `no ${address} here`
      const why = `${what}: ${this.addresses.join(', ')}`
      throw new MillraceError('ERR_INVALID_ADDRESS', why)
    }
    return found.dup()
  }

  get group(): Group | undefined {
    return this.#isClosing ? undefined : this.#group
  }
  get loops(): readonly Loop[] {
    return this.#group.loops
  }
  get addresses(): readonly string[] {
    return this.#addresses
  }
  get port(): number | undefined {
    return portOf(this.#addresses[0])
  }
  get listeners(): readonly Listener[] {
    return this.#listeners
  }
  get connections(): number {
    return this.#closing.count
  }

  stats(): ServerStats {
    const { handle } = theEnvironment()
    const isStopped = this.#isStopped
    return {
      connections: this.connections,
      loops: isStopped
        ? []
        : this.loops.map((loop) => ({ loop: loop.index, ...counters(handle, loop.index) })),
    }
  }

  get(id: number): Conn<unknown, unknown, unknown> | undefined {
    if (this.#byId === undefined) {
      this.#byId = new Map()
      for (const conn of this) this.#byId.set(conn.id, conn)
    }
    return this.#byId.get(id)
  }

  *[Symbol.iterator](): Iterator<ConnImpl> {
    for (const conn of this.#conns()) if (this.#speaks(conn)) yield conn
  }

  /** All of its connections, whatever their messages are. */
  *#conns(): Generator<ConnImpl> {
    if (this.#isStopped) return
    for (const loop of this.loops) {
      for (const conn of loop.slots) {
        if (conn?.profile.owner === this) yield conn
      }
    }
  }

  /** Whether a connection's messages are of the server's types. */
  #speaks(conn: ConnImpl): boolean {
    return conn.profile.owner === this && !(conn.profile as ListenerImpl).isOwn
  }

  broadcast(
    message: unknown,
    options: BroadcastOptions<Conn<unknown, unknown, unknown>> = {},
  ): number {
    return broadcast(this, (conn) => this.#speaks(conn), message, options)
  }

  close(options: CloseOptions = {}): Promise<void> {
    return this.#closing.close(options)
  }

  #stop(): Promise<unknown> {
    this.#isClosing = true
    const all = [...this.#all]
    for (const listener of all) listener.stop()
    return Promise.all(all.map((listener) => listener.closed))
  }

  #over(): void {
    for (const listener of this.#all) listener.forget()
    dropService(theEnvironment().handle, this.#service)
    this.#isStopped = true
    this.#group.leave()
    this.#onStopped?.()
  }

  /** It keeps the process alive while it listens, until that is closed. */
  #holdWhileListening(): void {
    const isListening = [...this.#all].some((listener) => listener.isListening)
    if (isListening === this.#isListening) return
    this.#isListening = isListening
    if (this.#isRefed) theEnvironment().hold(isListening ? 1 : -1)
  }

  ref(): this {
    if (!this.#isRefed && this.#isListening) theEnvironment().hold(1)
    this.#isRefed = true
    return this
  }

  unref(): this {
    if (this.#isRefed && this.#isListening) theEnvironment().hold(-1)
    this.#isRefed = false
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // ---- for serve, connections and listeners ----

  /** Called once it is closed. */
  onStopped(callback: () => void): void {
    this.#onStopped = callback
  }

  /** That listener has begun to close. */
  stopping(listener: ListenerImpl): void {
    // The addresses of a server that is closed say where it was.
    if (!this.#isClosing) this.#setListeners(this.#listeners.filter((each) => each !== listener))
  }

  /** That listener is closed, and so are its connections. */
  forgot(listener: ListenerImpl): void {
    this.#all.delete(listener)
  }

  /** A listener listens no more. */
  stopped(): void {
    this.#holdWhileListening()
  }

  add(conn: ConnImpl): void {
    if (this.#speaks(conn)) this.#byId?.set(conn.id, conn)
    ;(conn.profile as ListenerImpl).opened(conn)
    this.#closing.opened(conn)
  }

  closed(conn: ConnImpl, error: Error | undefined): void {
    this.#byId?.delete(conn.id)
    this.#closing.left()
    this.#reporter.closed(conn, error)
    ;(conn.profile as ListenerImpl).left()
  }

  /** Tells what no `close` tells: to `error`, or as a warning. */
  report(error: Error, conn?: ConnImpl, listener?: ListenerImpl): void {
    const { handlers } = conn?.profile ?? listener ?? { handlers: this.#handlers }
    this.#reporter.report(handlers, error, conn)
  }

  lost(loop: Loop): void {
    if (this.#lostLoops.has(loop)) return
    this.#lostLoops.add(loop)
    this.report(
      new MillraceError('ERR_LOOP_PANIC', `event loop ${loop.index} was lost with its connections`),
    )
    // Nobody is left to accept: the server is over.
    if (this.loops.every((each) => each.isDead)) void this.close({ timeout: 0 })
  }
}
