/** Makes one connection: tries the addresses of the destination until one answers. */

import { addressesOf } from '../address/resolve.js'
import type { StreamAddress } from '../address/socket-address.js'
import type { AnyHandlers } from '../connection/conn-handlers.js'
import { ConnImpl } from '../connection/conn-impl.js'
import { type ConnOwner, Profile } from '../connection/profile.js'
import { reportClosed, reportError } from '../connection/report.js'
import { MillraceError, toError } from '../errors.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import { onAbort } from '../util/abort-signal.js'
import { ErrorReporter } from '../util/error-reporter.js'
import type { Scope } from '../util/scope.js'
import { clearTimeout, setTimeout } from '../util/timers.js'
import type { ConnectSettings } from './check-connect.js'
import { type AttemptObserver, type AttemptPlan, ConnectAttempt } from './connect-attempt.js'

/** Milliseconds that an address has to answer before the next address is tried too (RFC 8305). */
const ATTEMPT_DELAY = 250

/** Receives the result of a dialer: `opened` and later `ended`, or `failed`, each once. */
export interface DialObserver {
  /**
   * The connection is open, and its handler `open` has run. The handler may have ended or destroyed it.
   *
   * @param thrown what `context` or `open` threw. The connection is being destroyed then
   * @returns whether the observer tells the user about `thrown`, so that nothing else has to report it
   */
  opened(conn: ConnImpl, thrown: Error | undefined): boolean
  /** The connection has closed. Its `close` handler runs after this. */
  ended(error: Error | undefined): void
  /** Connecting has failed. */
  failed(reason: unknown): void
}

/** Reports the errors of all clients, so that many clients with the same error do not flood the warnings. */
export const reporter: ErrorReporter = new ErrorReporter()

/** Connects once, and owns the connection until it closes. */
export class Dialer implements ConnOwner, AttemptObserver {
  readonly #settings: ConnectSettings
  readonly #plan: AttemptPlan
  readonly #profile: Profile
  readonly #observer: DialObserver
  #addresses: readonly StreamAddress[] = []
  /** The index of the next address to try. */
  #next = 0
  /** Attempts that have no result yet. */
  readonly #pending: ConnectAttempt[] = []
  readonly #errors: MillraceError[] = []
  #conn: ConnImpl | undefined
  /** Whether a connection was made, or connecting has failed. */
  #isSettled = false
  /** Whether the connection has closed, or connecting has failed. */
  #isFinished = false
  /** Whether the group of loops was left. */
  #hasLeft = false
  #isRefed: boolean
  /** Tries the next address. */
  #nextTimer: NodeJS.Timeout | undefined
  /** Fires when connecting has taken too long. */
  #deadline: NodeJS.Timeout | undefined
  #ignoreSignal: (() => void) | undefined
  /** What `context` or `open` threw, if the observer has told the user about it. */
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
    // If the chosen loop has panicked, any other loop of its group will do.
    const loop = settings.loop?.isLost ? undefined : settings.loop
    const isPaused = handlers.message === undefined
    this.#plan = { group, loop, local, device, isPaused, conn }
  }

  /** The connection, from before its `context` runs until it is closed. */
  get conn(): ConnImpl | undefined {
    return this.#conn
  }

  get scope(): Scope {
    return this.#profile.scope
  }

  start(): void {
    const { timeout, signal } = this.#settings
    this.#plan.group.join()
    if (this.#isRefed) theEnvironment().hold(1)
    if (timeout > 0) {
      this.#deadline = setTimeout(() => this.#expire(), timeout)
      if (!this.#isRefed) this.#deadline.unref()
    }
    if (signal !== undefined) this.#ignoreSignal = onAbort(signal, () => this.#abort(signal.reason))
    const { destination } = this.#settings
    if (destination.kind !== 'name') this.#tryAll([destination])
    else
      addressesOf(destination.host, destination.port).then(
        (addresses) => this.#tryAll(addresses),
        (error: unknown) => this.#fail(error),
      )
  }

  /** Tries the addresses that suit `localAddress`. */
  #tryAll(addresses: readonly StreamAddress[]): void {
    if (this.#isSettled) return
    const local = this.#settings.local
    const isLocalIPv6 = local?.host.includes(':')
    this.#addresses = addresses.filter(
      (each) =>
        isLocalIPv6 === undefined ||
        (each.kind === 'tcp' && each.host.includes(':') === isLocalIPv6),
    )
    if (this.#addresses.length === 0) {
      const { to } = this.#settings
      const family = isLocalIPv6 ? 'IPv6' : 'IPv4'
      const message = `${to} has no ${family} address, but localAddress (${local?.host}) needs one`
      this.#fail(new MillraceError('ERR_INVALID_ADDRESS', message))
      return
    }
    this.#tryNext()
  }

  /** Tries the next address, and schedules the one after it. */
  #tryNext(): void {
    clearTimeout(this.#nextTimer)
    const address = this.#addresses[this.#next++]
    if (address === undefined) return
    const attempt = new ConnectAttempt(this, this.#plan, address)
    this.#pending.push(attempt)
    if (this.#next < this.#addresses.length) {
      this.#nextTimer = setTimeout(() => this.#tryNext(), ATTEMPT_DELAY)
      if (!this.#isRefed) this.#nextTimer.unref()
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
      cause: new AggregateError(
        this.#errors,
        `no address of ${this.#settings.to} has accepted the connection`,
      ),
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
      // Another address was quicker, or connecting has failed.
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
    const wasRefed = this.#isRefed
    const thrown = conn.opened()
    if (wasRefed) theEnvironment().hold(-1)
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

  /** Stops connecting. Does nothing if there is a connection already. */
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

  /** Cancels the attempts that have no result yet. */
  #settle(): void {
    this.#isSettled = true
    clearTimeout(this.#deadline)
    clearTimeout(this.#nextTimer)
    for (const attempt of this.#pending) attempt.cancel()
  }

  #finish(): void {
    this.#isFinished = true
    this.#ignoreSignal?.()
    this.#leave()
  }

  /** Leaves the group of loops once every attempt has its result. */
  #leave(): void {
    if (!this.#isFinished || this.#hasLeft || this.#pending.length > 0) return
    this.#hasLeft = true
    this.#plan.group.leaveSoon()
  }

  /** Sets whether the connection, or connecting, keeps the process alive. */
  keepAlive(isRefed: boolean): void {
    if (this.#isRefed === isRefed) return
    this.#isRefed = isRefed
    if (this.#conn !== undefined) {
      if (isRefed) this.#conn.ref()
      else this.#conn.unref()
    } else if (!this.#isSettled) {
      theEnvironment().hold(isRefed ? 1 : -1)
      for (const timer of [this.#deadline, this.#nextTimer]) {
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

  connFailed(conn: ConnImpl, error: Error): void {
    reportError(reporter, conn.profile.handlers, error, conn)
  }
}
