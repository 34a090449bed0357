/** The implementation of `Server`: its listeners, its connections, and its end. */

import { portOf, showAddress } from '../address/format.js'
import { resolve } from '../address/resolve.js'
import type { BindAddress } from '../address/socket-address.js'
import type { Conn } from '../connection/conn.js'
import type { AnyHandlers } from '../connection/conn-handlers.js'
import type { ConnImpl } from '../connection/conn-impl.js'
import { reportClosed, reportError } from '../connection/report.js'
import { MillraceError } from '../errors.js'
import { counters, dropService } from '../native/binding.js'
import { lendGroup } from '../runtime/choose-group.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import type { Loop } from '../runtime/loop.js'
import { unawaited } from '../util/deferred.js'
import { ErrorReporter } from '../util/error-reporter.js'
import { showAs } from '../util/inspect.js'
import { BoundListener } from './bind-listener.js'
import { type BroadcastOptions, broadcast } from './broadcast.js'
import type { ListenSettings, ServeSettings } from './check-serve.js'
import { connsOf } from './conns-of.js'
import { type CloseOptions, Draining } from './draining.js'
import type { Listener } from './listener.js'
import { ListenerImpl, type ListenerServer } from './listener-impl.js'
import { whenUnlocked } from './locked-directory.js'
import type { Server } from './server.js'
import type { ServerStats } from './stats.js'

/** See {@link Server}. */
export class ServerImpl implements Server<unknown, unknown, unknown>, ListenerServer {
  readonly #group: Group
  /** Names the server in calls of the native half. */
  readonly #service: number
  readonly #handlers: AnyHandlers
  /** Checks an entry of `listen` with this server's options. */
  readonly #checkEntry: ServeSettings['checkEntry']
  /** The listeners that are not closing, in order. */
  #listeners: readonly ListenerImpl[] = []
  #addresses: readonly string[] = []
  /** All listeners, with those that are closing. */
  readonly #allListeners = new Set<ListenerImpl>()
  /** Connections by id, from the first `get` on. */
  #byId: Map<number, ConnImpl> | undefined
  #isRefed = true
  #isListening = false
  #isClosing = false
  #isClosed = false
  #onClosed: (() => void) | undefined
  readonly #draining: Draining = new Draining({
    kind: 'server',
    conns: () => this.#conns(),
    stop: () => this.#stop(),
    finished: () => this.#finish(),
  })
  readonly #lostLoops = new Set<Loop>()
  readonly #reporter = new ErrorReporter()

  constructor(
    group: Group,
    service: number,
    checkEntry: ServeSettings['checkEntry'],
    handlers: AnyHandlers,
  ) {
    this.#group = group
    this.#service = service
    this.#checkEntry = checkEntry
    this.#handlers = handlers
    lendGroup(this, () => (this.#isClosing ? undefined : group))
  }

  /** Begins to accept from sockets that are bound. */
  start(bound: readonly BoundListener[]): ListenerImpl[] {
    // Only the first one can fail, if no thread can be started. No record is taken before this returns.
    for (const each of bound) each.accept()
    const started = bound.map((each) => new ListenerImpl(this, this.#group, each))
    for (const listener of started) {
      theEnvironment().origins.set(listener.number, listener)
      this.#allListeners.add(listener)
    }
    this.#setListeners([...this.#listeners, ...started])
    this.#holdWhileListening()
    return started
  }

  #setListeners(listeners: ListenerImpl[]): void {
    this.#listeners = Object.freeze(listeners)
    this.#addresses = Object.freeze(listeners.flatMap((listener) => listener.addresses))
  }

  async listen(entry: unknown): Promise<Listener> {
    this.#refuseIfClosing()
    if (this.#group.isLost)
      throw new MillraceError('ERR_LOOP_PANIC', 'all event loops of the server have panicked')
    const settings = this.#checkEntry(entry)
    const addresses = await resolve(settings.address)
    this.#refuseIfClosing()
    return whenUnlocked(
      (ignoresLock) => this.#add(settings, addresses, ignoresLock),
      () => this.#refuseIfClosing(),
    )
  }

  #add(
    settings: ListenSettings,
    addresses: readonly BindAddress[],
    ignoresLock: boolean,
  ): ListenerImpl {
    const bound = new BoundListener(this.#group, this.#service, settings, addresses, ignoresLock)
    try {
      return this.start([bound])[0] as ListenerImpl
    } catch (error) {
      bound.unbind()
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
      const what =
        address === undefined
          ? 'dup needs one of the addresses'
          : `nobody listens on ${showAddress(address)}`
      const why = `${what}: ${this.addresses.join(', ')}`
      throw new MillraceError('ERR_INVALID_ADDRESS', why)
    }
    return found.dup()
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
    return this.#draining.count
  }

  stats(): ServerStats {
    const { handle } = theEnvironment()
    const loops = this.#isClosed ? [] : this.#group.loops
    return {
      connections: this.connections,
      loops: loops.map((loop) => ({ loop: loop.index, ...counters(handle, loop.index) })),
    }
  }

  get(id: number): Conn | undefined {
    if (this.#byId === undefined) {
      this.#byId = new Map()
      for (const conn of this) this.#byId.set(conn.id, conn)
    }
    return this.#byId.get(id)
  }

  *[Symbol.iterator](): Iterator<ConnImpl> {
    if (this.#isClosed) return
    for (const conn of connsOf(this.#group.loops)) if (this.#hasTypesOf(conn)) yield conn
  }

  /** Visits all connections, whatever their messages are. */
  *#conns(): Generator<ConnImpl> {
    if (this.#isClosed) return
    for (const conn of connsOf(this.#group.loops)) {
      if (this.#listenerOf(conn) !== undefined) yield conn
    }
  }

  /** Returns the listener of a connection; undefined if it is not a listener of this server. */
  #listenerOf({ profile: { owner } }: ConnImpl): ListenerImpl | undefined {
    return owner instanceof ListenerImpl && owner.server === this ? owner : undefined
  }

  /** Tells whether a connection's messages are of the server's types. */
  #hasTypesOf(conn: ConnImpl): boolean {
    return this.#listenerOf(conn)?.hasOwnTypes === false
  }

  broadcast(message: unknown, options: BroadcastOptions<Conn> = {}): number {
    return broadcast(this, (conn) => this.#hasTypesOf(conn), message, options)
  }

  close(options: CloseOptions = {}): Promise<void> {
    return this.#draining.close(options)
  }

  #stop(): Promise<unknown> {
    this.#isClosing = true
    const all = [...this.#allListeners]
    for (const listener of all) listener.stop()
    return Promise.all(all.map((listener) => listener.stopped))
  }

  #finish(): void {
    for (const listener of this.#allListeners) listener.forget()
    dropService(theEnvironment().handle, this.#service)
    this.#isClosed = true
    this.#group.leave()
    this.#onClosed?.()
  }

  /** Keeps the process alive as long as a listener listens. */
  #holdWhileListening(): void {
    const isListening = [...this.#allListeners].some((listener) => listener.isListening)
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

  /** Calls back once the server is closed. */
  onClosed(callback: () => void): void {
    this.#onClosed = callback
  }

  // ---- what its listeners call ----

  connOpened(conn: ConnImpl, listener: ListenerImpl): void {
    if (!listener.hasOwnTypes) this.#byId?.set(conn.id, conn)
    this.#draining.connOpened(conn)
  }

  connClosed(conn: ConnImpl, error: Error | undefined): void {
    this.#byId?.delete(conn.id)
    this.#draining.connClosed()
    reportClosed(this.#reporter, conn, error)
  }
  connFailed(conn: ConnImpl, error: Error): void {
    reportError(this.#reporter, conn.profile.handlers, error, conn)
  }

  acceptFailed(error: Error, listener: ListenerImpl): void {
    reportError(this.#reporter, listener.profile.handlers, error)
  }

  listenerStopping(listener: ListenerImpl): void {
    // A closed server keeps its addresses, which say where it was.
    if (!this.#isClosing) this.#setListeners(this.#listeners.filter((each) => each !== listener))
  }

  listenerStopped(): void {
    this.#holdWhileListening()
  }

  listenerClosed(listener: ListenerImpl): void {
    this.#allListeners.delete(listener)
  }

  loopLost(loop: Loop): void {
    if (this.#lostLoops.has(loop)) return
    this.#lostLoops.add(loop)
    const why = `event loop ${loop.index} has panicked, and its connections are lost`
    reportError(this.#reporter, this.#handlers, new MillraceError('ERR_LOOP_PANIC', why))
    // Without a loop nobody accepts any more.
    if (this.#group.isLost) void this.close({ timeout: 0 })
  }
}

showAs(ServerImpl, 'Server', ({ addresses, connections }) => ({ addresses, connections }))
