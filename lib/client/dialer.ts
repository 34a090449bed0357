/** Makes one connection: tries the addresses that there are, and owns what comes of it. */

import { addressesOf } from '../address/resolve.js'
import type { StreamAddress } from '../address/socket-address.js'
import { ConnImpl } from '../connection/conn-impl.js'
import type { Handlers } from '../connection/handlers.js'
import { type Owner, Profile } from '../connection/profile.js'
import { Reporter } from '../connection/report.js'
import { MillraceError, toError } from '../errors.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import { onAbort } from '../util/abort-signal.js'
import { type AttemptOwner, type AttemptPlan, ConnectAttempt } from './connect-attempt.js'
import type { ConnectSettings } from './options.js'

/** Milliseconds after which the next address is tried beside one that has not answered (RFC 8305). */
const STAGGER = 250

/** Who asked for the connection. Each is told once: `opened` and then `ended`, or `failed`. */
export interface DialObserver {
  /**
   * It is there, and its `open` ran, which may have ended or destroyed it.
   *
   * @param thrown what `open` or `context` threw: the connection is being destroyed
   * @returns whether that is told to the user
   */
  opened(conn: ConnImpl, thrown: Error | undefined): boolean
  /** It is over. Called before its `close`. */
  ended(error: Error | undefined): void
  /** There is none. */
  failed(reason: unknown): void
}

/** One for all: its warnings are at most one a second for each code. */
export const reporter: Reporter = new Reporter()

/** One try to connect, and one connection. */
export class Dialer implements Owner, AttemptOwner {
  readonly #settings: ConnectSettings
  readonly #plan: AttemptPlan
  readonly #profile: Profile
  readonly #life: DialObserver
  #addresses: readonly StreamAddress[] = []
  #next = 0
  /** Asked for and not answered. */
  readonly #pending: ConnectAttempt[] = []
  readonly #errors: MillraceError[] = []
  #conn: ConnImpl | undefined
  /** It is opened, failed or given up. */
  #isSettled = false
  /** There is no connection any more. */
  #isOver = false
  #hasLeft = false
  #isRefed: boolean
  #stagger: NodeJS.Timeout | undefined
  #timeout: NodeJS.Timeout | undefined
  #ignoreSignal: (() => void) | undefined
  /** What `open` threw, if whoever asked for the connection was told. */
  #thrown: Error | undefined

  constructor(
    settings: ConnectSettings,
    handlers: Handlers<unknown, unknown, unknown>,
    group: Group,
    life: DialObserver,
    isRefed = true,
  ) {
    this.#settings = settings
    this.#profile = new Profile(this, settings.conn, handlers)
    this.#life = life
    this.#isRefed = isRefed
    const { local, device, conn } = settings
    // Where the loop that was named is lost, any of its group will do.
    const loop = settings.loop?.isDead ? undefined : settings.loop
    const paused = handlers.message === undefined
    this.#plan = { group, loop, local, device, paused, conn }
  }

  /** The connection, from before its `context` and `open` run until it is closed. */
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
      const why = `${to} has no address of the kind of localAddress, ${local?.host}`
      this.#fail(new MillraceError('ERR_INVALID_ADDRESS', why))
      return
    }
    this.#tryNext()
  }

  /** Tries the next address, and the one after it when that takes long. */
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

  /** The error of the first address; with several, all of them are its cause. */
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
      // Another was first, or nobody wants it any more.
      attempt.drop(slot, generation)
      this.#leave()
      return
    }
    this.#settle()
    const { loop } = attempt
    const conn = new ConnImpl(loop, slot, generation, this.#profile, view, at)
    if (this.#plan.paused) conn.beginHeld()
    this.#conn = conn
    loop.slots[slot] = conn
    const isHeld = this.#isRefed
    const thrown = conn.opened()
    if (isHeld) theEnvironment().hold(-1)
    if (!this.#isRefed) conn.unref()
    if (this.#life.opened(conn, thrown)) this.#thrown = thrown
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

  /** Gives up, if there is no connection yet. */
  giveUp(reason: unknown): void {
    this.#fail(reason)
  }

  #fail(reason: unknown): void {
    if (this.#isSettled) return
    this.#settle()
    this.#over()
    if (this.#isRefed) theEnvironment().hold(-1)
    this.#life.failed(reason)
  }

  /** It is decided: what is still being tried is not wanted any more. */
  #settle(): void {
    this.#isSettled = true
    clearTimeout(this.#timeout)
    clearTimeout(this.#stagger)
    for (const attempt of this.#pending) attempt.cancel()
  }

  #over(): void {
    this.#isOver = true
    this.#ignoreSignal?.()
    this.#leave()
  }

  /** Leaves the loops, once they have nothing more of ours. */
  #leave(): void {
    if (!this.#isOver || this.#hasLeft || this.#pending.length > 0) return
    this.#hasLeft = true
    this.#plan.group.leaveSoon()
  }

  /** Whether the process stays alive for it. */
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

  // ---- for the connection ----

  add(): void {}

  closed(conn: ConnImpl, error: Error | undefined): void {
    this.#conn = undefined
    this.#life.ended(error)
    if (conn.profile.handlers.close !== undefined || error !== this.#thrown || error === undefined)
      reporter.closed(conn, error)
    this.#over()
  }

  report(error: Error, conn?: ConnImpl): void {
    reporter.report(this.#profile.handlers, error, conn)
  }
}
