/** A client that connects again: one connection after the other, and what is written between them. */

import { encodeFrame } from '../codec/framing.js'
import { FrameWriter } from '../codec/writer.js'
import { type Deferred, deferred, Rest } from '../connection/cold-state.js'
import type { Conn } from '../connection/conn.js'
import type { ConnImpl } from '../connection/conn-impl.js'
import type { Handlers } from '../connection/handlers.js'
import { MillraceError, toError } from '../errors.js'
import type { Group } from '../runtime/group.js'
import { onAbort } from '../util/abort-signal.js'
import { hasHeld, waitBefore } from './backoff.js'
import type { Client, ClientState } from './client.js'
import { Dialer, type DialObserver, reporter } from './dialer.js'
import type { ClientSettings, ConnectSettings, ReconnectingOptions } from './options.js'

function closedSoon(): MillraceError {
  return new MillraceError('ERR_CLOSED', 'the peer closed each connection soon after it was made')
}

/** The one implementation of `Client`. */
export class ClientImpl implements Client<unknown, unknown, unknown>, DialObserver {
  readonly #settings: ConnectSettings
  readonly #own: ClientSettings
  readonly #handlers: Handlers<unknown, unknown, unknown>
  readonly #onState: ((client: Client<never, never, never>) => void) | undefined
  /** The loops to use, joined. */
  readonly #acquire: () => Group
  #group: Group | undefined
  #dialer: Dialer | undefined
  #conn: ConnImpl | undefined
  #state: ClientState = 'connecting'
  /** Tries in a row that failed, or whose connection did not hold. */
  #failures = 0
  /** When the connection came, as of `performance.now()`. */
  #openedAt = 0
  #lastError: Error | undefined
  #timer: NodeJS.Timeout | undefined
  #nextAttemptAt: number | undefined
  /** No more connections after this one. */
  #isEnding = false
  #isRefed = true
  /** Written without a connection. */
  #queue: Rest | undefined
  readonly #writer = new FrameWriter()
  readonly #first: Deferred<this> = deferred<this>()
  readonly #closed: Deferred<void> = deferred<void>()
  #ignoreSignal: (() => void) | undefined

  constructor(
    settings: ConnectSettings,
    own: ClientSettings,
    options: ReconnectingOptions<never, never, never>,
    acquire: () => Group,
  ) {
    // The signal is ours: it ends more than one connection.
    this.#settings = { ...settings, signal: undefined }
    this.#own = own
    this.#handlers = options as unknown as Handlers<unknown, unknown, unknown>
    this.#onState = options.state?.bind(options)
    this.#acquire = acquire
    const { signal } = settings
    signal?.throwIfAborted()
    if (signal !== undefined) this.#ignoreSignal = onAbort(signal, () => this.#stop(signal.reason))
  }

  get state(): ClientState {
    return this.#state
  }
  get conn(): Conn<unknown, unknown, unknown> | undefined {
    return this.#conn
  }
  get attempt(): number {
    return this.#state === 'open' || this.#state === 'closed' ? 0 : this.#failures + 1
  }
  get nextAttemptAt(): number | undefined {
    return this.#nextAttemptAt
  }
  get lastError(): Error | undefined {
    return this.#lastError
  }
  get queued(): number {
    return this.#queue?.length ?? 0
  }
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  /** Connects for the first time; resolves when it is connected. */
  start(): Promise<this> {
    this.#dial()
    return this.#first.promise
  }

  #dial(): void {
    this.#nextAttemptAt = undefined
    let group: Group
    try {
      group = this.#loops()
    } catch (error) {
      // Not to be mended by waiting: a server whose loops were borrowed is closed, say.
      this.#over(error)
      return
    }
    // Told before there is anything to give up: the user may end it, or let go of the process.
    if (this.#state !== 'connecting') this.#enter('connecting')
    if (this.#isEnding) return
    this.#dialer = new Dialer(this.#settings, this.#handlers, group, this, this.#isRefed)
    this.#dialer.start()
  }

  /** Loops of which at least one lives. */
  #loops(): Group {
    // A loop that was named is the only one there can be.
    const isNamed = this.#settings.loop !== undefined
    if (!isNamed && this.#group?.loops.every((loop) => loop.isDead)) {
      this.#group.leaveSoon()
      this.#group = undefined
    }
    this.#group ??= this.#acquire()
    return this.#group
  }

  #enter(state: ClientState): void {
    this.#state = state
    const told = this as unknown as Client<never, never, never>
    reporter.run(this.#handlers, () => this.#onState?.(told))
  }

  opened(conn: ConnImpl, thrown: Error | undefined): boolean {
    if (thrown !== undefined) {
      // Its end follows, and the next try.
      this.#lastError = thrown
      return false
    }
    this.#conn = conn
    // Its `open` ended us. It is on its way out, and its end is ours.
    if (this.#isEnding) return true
    this.#openedAt = performance.now()
    this.#lastError = undefined
    this.#flush(conn)
    this.#enter('open')
    this.#first.resolve(this)
    return true
  }

  #flush(conn: ConnImpl): void {
    const queue = this.#queue
    // What `open` has ended or destroyed takes nothing more.
    if (queue === undefined || conn.readyState !== 'open') return
    this.#queue = undefined
    conn.writeEncoded(queue.memory.subarray(queue.start, queue.end))
  }

  ended(error: Error | undefined): void {
    const conn = this.#conn
    if (conn === undefined) {
      this.failed(error ?? this.#lastError)
      return
    }
    this.#conn = undefined
    this.#lastError = error
    const { backoff } = this.#own
    const past = { received: conn.bytesRead, lasted: performance.now() - this.#openedAt }
    if (hasHeld(backoff, this.#failures, past)) this.#failures = 0
    else this.#failures++
    if (this.#isEnding) this.#over(error)
    else if (this.#failures >= backoff.attempts) this.#over(error ?? closedSoon())
    else this.#wait()
  }

  failed(reason: unknown): void {
    if (this.#state === 'closed') return
    this.#lastError = toError(reason)
    this.#failures++
    if (this.#isEnding || this.#failures >= this.#own.backoff.attempts) this.#over(reason)
    else this.#wait()
  }

  #wait(): void {
    if (this.#state === 'closed') return
    const wait = waitBefore(this.#own.backoff, this.#failures, Math.random())
    this.#nextAttemptAt = Date.now() + wait
    this.#timer = setTimeout(() => this.#dial(), wait)
    if (!this.#isRefed) this.#timer.unref()
    this.#enter('waiting')
  }

  write(message: unknown): boolean {
    if (this.#isEnding || this.#state === 'closed') return false
    const conn = this.#conn
    if (conn?.readyState === 'open') return conn.write(message)
    if (!this.#own.queues) return false
    this.#keep(message)
    return true
  }

  /** Encodes a message and keeps it for the next connection. */
  #keep(message: unknown): void {
    // `encode` may write to this client too.
    const writer = this.#writer.isBusy ? new FrameWriter() : this.#writer
    writer.isBusy = true
    let bytes: Buffer
    try {
      bytes = encodeFrame(this.#settings.conn.codec, message, writer)
    } finally {
      writer.isBusy = false
    }
    const { maxOffline } = this.#own
    if (this.queued + bytes.length > maxOffline) {
      throw new MillraceError(
        'ERR_WRITE_BUFFER_FULL',
        `${this.queued + bytes.length} bytes would wait for a connection, over maxOffline (${maxOffline})`,
      )
    }
    this.#queue ??= new Rest()
    this.#queue.append(bytes, 0, bytes.length)
    writer.done()
  }

  end(): void {
    if (this.#isEnding || this.#state === 'closed') return
    this.#isEnding = true
    const conn = this.#current
    if (conn === undefined) this.#over(undefined)
    else conn.end()
  }

  destroy(error?: Error): void {
    this.#stop(error)
  }

  /** No connection any more, now. */
  #stop(reason: unknown): void {
    if (this.#state === 'closed') return
    this.#isEnding = true
    const conn = this.#current
    if (conn === undefined) this.#over(reason)
    else conn.destroy(reason === undefined ? undefined : toError(reason))
  }

  /** The connection, also while its `context` or `open` runs. */
  get #current(): ConnImpl | undefined {
    return this.#conn ?? this.#dialer?.conn
  }

  /** It is closed. */
  #over(reason: unknown): void {
    if (this.#state === 'closed') return
    this.#isEnding = true
    clearTimeout(this.#timer)
    this.#nextAttemptAt = undefined
    this.#queue = undefined
    this.#ignoreSignal?.()
    this.#group?.leaveSoon()
    this.#group = undefined
    this.#enter('closed')
    // What is being tried is not wanted any more.
    this.#dialer?.giveUp(reason)
    this.#first.reject(reason ?? new MillraceError('ERR_CLOSED', 'the client is closed'))
    if (reason === undefined) this.#closed.resolve()
    else this.#closed.reject(reason)
  }

  ref(): this {
    return this.#keepAlive(true)
  }

  unref(): this {
    return this.#keepAlive(false)
  }

  #keepAlive(isRefed: boolean): this {
    this.#isRefed = isRefed
    this.#dialer?.keepAlive(isRefed)
    if (isRefed) this.#timer?.ref()
    else this.#timer?.unref()
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end()
    await this.closed.catch(() => {})
  }
}
