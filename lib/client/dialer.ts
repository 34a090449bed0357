/** Makes one connection: tries the addresses of its destination, and owns the connection. */

import { addressesOf } from '../address/resolve.js'
import type { StreamAddress } from '../address/socket-address.js'
import { ConnImpl } from '../connection/conn-impl.js'
import type { AnyHandlers } from '../connection/handlers.js'
import { type ConnOwner, Profile } from '../connection/profile.js'
import { reportClosed } from '../connection/report.js'
import { MillraceError, toError } from '../errors.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import { onAbort } from '../util/abort-signal.js'
import { ErrorReporter } from '../util/error-reporter.js'
import { type AttemptOwner, type AttemptPlan, ConnectAttempt } from './connect-attempt.js'
import type { ConnectSettings } from './options.js'

/** Milliseconds after which the next address is tried too, if the last one has not answered (RFC 8305). */
const STAGGER = 250

/** Whoever asked for the connection. Each dialer calls `opened` and later `ended`, or `failed`, once. */
export interface DialObserver {
  /**
   * The connection is open, and its `open` ran, which may have ended or destroyed it.
   *
   * @param thrown what `context` or `open` threw: the connection is being destroyed
   * @returns whether the user learns of `thrown` in this way
   */
  opened(conn: ConnImpl, thrown: Error | undefined): boolean
  /** The connection has closed. Called before its `close` handler. */
  ended(error: Error | undefined): void
  /** No connection was made. */
  failed(reason: unknown): void
}

/** Shared by all clients, so that many clients with the same trouble do not flood the warnings. */
export const reporter: ErrorReporter = new ErrorReporter()

/** Connects once, and owns the connection until it is closed. */
export class Dialer implements ConnOwner, AttemptOwner {
  readonly #settings: ConnectSettings
  readonly #plan: AttemptPlan
  readonly #profile: Profile
  readonly #observer: DialObserver
  #addresses: readonly StreamAddress[] = []
  #next = 0
  /** Attempts that were not answered yet. */
  readonly #pending: ConnectAttempt[] = []
  readonly #errors: MillraceError[] = []
  #conn: ConnImpl | undefined
  /** Whether a connection was made, or all hope was given up. */
  #isSettled = false
  /** Whether the connection is closed, or none was made. */
  #isFinished = false
  #hasLeft = false
  #isRefed: boolean
  #stagger: NodeJS.Timeout | undefined
  #timeout: NodeJS.Timeout | undefined
  #ignoreSignal: (() => void) | undefined
  /** What `context` or `open` threw, if the user has learnt of it already. */
  #thrown: Error | undefined

  constructor(
    settings: ConnectSettings,
    handlers: AnyHandlers,
    group: Group,
    observer: DialObserver,
    isRefed = true,
  ) {
    this.#settings = settings
    this.#profile = new Profile(this, settings.conn, handlers)
    this.#observer = observer
    this.#isRefed = isRefed
    const { local, device, conn } = settings
    // If the loop that was named has panicked, any other of its group will do.
    const loop = settings.loop?.isDead ? undefined : settings.loop
    const isPaused = handlers.message === undefined
    this.#plan = { group, loop, local, device, isPaused, conn }
  }

  /** The connection, from before its `context` runs until it is closed. */
  get conn(): ConnImpl | undefined {
    return this.#conn
  }

  start(): void {
    const { timeout, signal } = this.#settings
    this.#plan.group.join()
    if (this.#isRefed) theEnvironment().hold(1)
    if (timeout > 0) {
      this.#timeout = setTimeout(() => this.#expire(), timeout)
      if (!this.#isRefed) this.#timeout.unref()
    }
    if (signal !== undefined) this.#ignoreSignal = onAbort(signal, () => this.#abort(signal.reason))
    const { destination } = this.#settings
    if (destination.kind !== 'name') this.#found([destination])
    else
      addressesOf(destination.host, destination.port).then(
        (addresses) => this.#found(addresses),
        (error: unknown) => this.#fail(error),
      )
  }

  #found(addresses: readonly StreamAddress[]): void {
    if (this.#isSettled) return
    const local = this.#settings.local
    const isSix = local?.host.includes(':')
    this.#addresses = addresses.filter(
      (each) => isSix === undefined || (each.kind === 'tcp' && each.host.includes(':') === isSix),
    )
    if (this.#addresses.length === 0) {
      const { to } = this.#settings
      const why = `${to} has no address of the family of localAddress, ${local?.host}`
      this.#fail(new MillraceError('ERR_INVALID_ADDRESS', why))
      return
    }
    this.#tryNext()
  }

  /** Tries the next address, and schedules the one after it. */
  #tryNext(): void {
    clearTimeout(this.#stagger)
    const address = this.#addresses[this.#next++]
    if (address === undefined) return
    const attempt = new ConnectAttempt(this, this.#plan, address)
    this.#pending.push(attempt)
    if (this.#next < this.#addresses.length) {
      this.#stagger = setTimeout(() => this.#tryNext(), STAGGER)
      if (!this.#isRefed) this.#stagger.unref()
    }
    try {
      attempt.start()
    } catch (error) {
      this.attemptFailed(attempt, error as MillraceError)
    }
  }

  #forget(attempt: ConnectAttempt): void {
    this.#pending.splice(this.#pending.indexOf(attempt), 1)
  }

  attemptFailed(attempt: ConnectAttempt, error: MillraceError): void {
    this.#forget(attempt)
    if (this.#isSettled) {
      this.#leave()
      return
    }
    this.#errors.push(error)
    if (this.#next < this.#addresses.length) this.#tryNext()
    else if (this.#pending.length === 0) this.#fail(this.#failure())
  }

  /** Returns the error of the first address. If there are several errors, its cause has all of them. */
  #failure(): MillraceError {
    const [first, ...others] = this.#errors as [MillraceError, ...MillraceError[]]
    if (others.length === 0) return first
    const { code, message, errno, syscall, address, port } = first
    return new MillraceError(code, message, {
      cause: new AggregateError(this.#errors, `no address of ${this.#settings.to} answers`),
      ...(errno === undefined ? {} : { errno }),
      ...(syscall === undefined ? {} : { syscall }),
      ...(address === undefined ? {} : { address }),
      ...(port === undefined ? {} : { port }),
    })
  }

  attemptOpened(
    attempt: ConnectAttempt,
    slot: number,
    generation: number,
    view: DataView,
    at: number,
  ): void {
    this.#forget(attempt)
    if (this.#isSettled) {
      // Another address was quicker, or nobody wants a connection any more.
      attempt.drop(slot, generation)
      this.#leave()
      return
    }
    this.#settle()
    const { loop } = attempt
    const conn = new ConnImpl(loop, slot, generation, this.#profile, view, at)
    if (this.#plan.isPaused) conn.startWithoutReading()
    this.#conn = conn
    loop.conns[slot] = conn
    const isHeld = this.#isRefed
    const thrown = conn.opened()
    if (isHeld) theEnvironment().hold(-1)
    if (!this.#isRefed) conn.unref()
    if (this.#observer.opened(conn, thrown)) this.#thrown = thrown
  }

  #expire(): void {
    const { to, timeout } = this.#settings
    const message = `not connected to ${to} within ${timeout} ms`
    const [cause] = this.#errors
    this.#fail(new MillraceError('ERR_CONNECT_TIMEOUT', message, cause && { cause }))
  }

  #abort(reason: unknown): void {
    if (this.#conn !== undefined) this.#conn.destroy(toError(reason))
    else this.#fail(reason)
  }

  /** Gives up, unless there is a connection. */
  giveUp(reason: unknown): void {
    this.#fail(reason)
  }

  #fail(reason: unknown): void {
    if (this.#isSettled) return
    this.#settle()
    this.#finish()
    if (this.#isRefed) theEnvironment().hold(-1)
    this.#observer.failed(reason)
  }

  /** Cancels the attempts that were not answered. */
  #settle(): void {
    this.#isSettled = true
    clearTimeout(this.#timeout)
    clearTimeout(this.#stagger)
    for (const attempt of this.#pending) attempt.cancel()
  }

  #finish(): void {
    this.#isFinished = true
    this.#ignoreSignal?.()
    this.#leave()
  }

  /** Leaves the loops once all attempts are answered. */
  #leave(): void {
    if (!this.#isFinished || this.#hasLeft || this.#pending.length > 0) return
    this.#hasLeft = true
    this.#plan.group.leaveSoon()
  }

  /** Says whether the process stays alive for the connection, or for the attempts to make one. */
  keepAlive(isRefed: boolean): void {
    if (this.#isRefed === isRefed) return
    this.#isRefed = isRefed
    if (this.#conn !== undefined) {
      if (isRefed) this.#conn.ref()
      else this.#conn.unref()
    } else if (!this.#isSettled) {
      theEnvironment().hold(isRefed ? 1 : -1)
      for (const timer of [this.#timeout, this.#stagger]) {
        if (isRefed) timer?.ref()
        else timer?.unref()
      }
    }
  }

  // ---- what the connection calls ----

  connOpened(): void {}

  connClosed(conn: ConnImpl, error: Error | undefined): void {
    this.#conn = undefined
    this.#observer.ended(error)
    if (conn.profile.handlers.close !== undefined || error !== this.#thrown || error === undefined)
      reportClosed(reporter, conn, error)
    this.#finish()
  }
}
