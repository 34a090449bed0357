/** The implementation of `Client`: one connection after another, and the messages that wait in between. */

// Not from `timers.ts`: a test may say how long a connection has lasted.
import { performance } from 'node:perf_hooks'
import { encodeFrame } from '../codec/encode.js'
import { WriterImpl } from '../codec/writer-impl.js'
import type { Conn } from '../connection/conn.js'
import type { AnyHandlers } from '../connection/conn-handlers.js'
import type { ConnImpl } from '../connection/conn-impl.js'
import { reportError } from '../connection/report.js'
import { MillraceError, toError } from '../errors.js'
import type { Group } from '../runtime/group.js'
import { onAbort } from '../util/abort-signal.js'
import { callHandler } from '../util/call-handler.js'
import { type Deferred, deferred } from '../util/deferred.js'
import { GrowingBuffer } from '../util/growing-buffer.js'
import { showAs } from '../util/inspect.js'
import { Scope } from '../util/scope.js'
import { clearTimeout, setTimeout } from '../util/timers.js'
import { waitBefore, wasSuccess } from './backoff.js'
import type { ClientSettings, ConnectSettings } from './check-connect.js'
import type { Client, ClientState } from './client.js'
import type { ReconnectingOptions } from './connect-options.js'
import { Dialer, type DialObserver, reporter } from './dialer.js'

/** Makes the error of a client that gave up, although its last connection ended without an error. */
function closedTooSoon(): MillraceError {
  return new MillraceError('ERR_CLOSED', 'the peer closed each connection soon after it opened')
}

/** See {@link Client}. */
export class ClientImpl implements Client<unknown, unknown, unknown>, DialObserver {
  readonly #settings: ConnectSettings
  readonly #scope: Scope = new Scope()
  readonly #clientSettings: ClientSettings
  readonly #handlers: AnyHandlers
  readonly #onState: ((client: Client) => void) | undefined
  /** Joins the group of loops to use, and returns it. */
  readonly #acquireGroup: () => Group
  #group: Group | undefined
  #dialer: Dialer | undefined
  #conn: ConnImpl | undefined
  #state: ClientState = 'connecting'
  /** The number of failures in a row: of attempts that failed, and of connections that did not last. */
  #failures = 0
  /** When the connection opened, in the time of `performance.now()`. */
  #openedAt = 0
  #lastError: Error | undefined
  /** Starts the next attempt. */
  #attemptTimer: NodeJS.Timeout | undefined
  #nextAttemptAt: number | undefined
  /** Whether no other connection follows this one. */
  #isEnding = false
  #isRefed = true
  /** The encoded messages that wait for a connection. */
  #queue: GrowingBuffer | undefined
  readonly #writer = new WriterImpl()
  /** Settles when the client has connected for the first time, or cannot. */
  readonly #connected: Deferred<this> = deferred<this>()
  readonly #closed: Deferred<void> = deferred<void>()
  #ignoreSignal: (() => void) | undefined

  constructor(
    settings: ConnectSettings,
    clientSettings: ClientSettings,
    options: ReconnectingOptions<never, never, never>,
    acquireGroup: () => Group,
  ) {
    // The signal ends the client. A dialer must not use it to end one connection.
    this.#settings = { ...settings, signal: undefined }
    this.#clientSettings = clientSettings
    this.#handlers = options as unknown as AnyHandlers
    this.#onState = options.state?.bind(options) as ((client: Client) => void) | undefined
    this.#acquireGroup = acquireGroup
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

  /** Connects for the first time. Resolves once there is a connection. */
  start(): Promise<this> {
    this.#dial()
    return this.#connected.promise
  }

  #dial(): void {
    this.#nextAttemptAt = undefined
    let group: Group
    try {
      group = this.#liveGroup()
    } catch (error) {
      // Another attempt would fail too: for instance, the server that shares its loops is closed.
      this.#finish(error)
      return
    }
    // The state changes before the dialer exists, because the handler may end or unref the client.
    if (this.#state !== 'connecting') this.#enter('connecting')
    if (this.#isEnding) return
    this.#dialer = new Dialer(this.#settings, this.#handlers, group, this, this.#isRefed)
    this.#dialer.start()
  }

  /** Returns a group that has a loop left, if there can be one. */
  #liveGroup(): Group {
    // The option `loop` leaves no other choice.
    const hasChoice = this.#settings.loop === undefined
    if (hasChoice && this.#group?.isLost) {
      this.#group.leaveSoon()
      this.#group = undefined
    }
    this.#group ??= this.#acquireGroup()
    return this.#group
  }

  #enter(state: ClientState): void {
    this.#state = state
    this.#scope.runInAsyncScope(() =>
      callHandler(
        () => this.#onState?.(this),
        (error) => reportError(reporter, this.#handlers, error),
      ),
    )
  }

  opened(conn: ConnImpl, thrown: Error | undefined): boolean {
    if (thrown !== undefined) {
      // The connection closes next, and then the next attempt follows.
      this.#lastError = thrown
      return false
    }
    this.#conn = conn
    // The handler `open` has ended the client. It finishes when this connection closes.
    if (this.#isEnding) return true
    this.#openedAt = performance.now()
    this.#lastError = undefined
    this.#flush(conn)
    this.#enter('open')
    this.#connected.resolve(this)
    return true
  }

  #flush(conn: ConnImpl): void {
    const queue = this.#queue
    // `open` may have ended or destroyed the connection.
    if (queue === undefined || !conn.isWritable) return
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
    const { backoff } = this.#clientSettings
    const ended = { received: conn.bytesRead, lasted: performance.now() - this.#openedAt }
    if (wasSuccess(backoff, this.#failures, ended)) this.#failures = 0
    else this.#failures++
    if (this.#isEnding) this.#finish(error)
    else if (this.#failures >= backoff.attempts) this.#finish(error ?? closedTooSoon())
    else this.#wait()
  }

  failed(reason: unknown): void {
    if (this.#state === 'closed') return
    this.#lastError = toError(reason)
    this.#failures++
    if (this.#isEnding || this.#failures >= this.#clientSettings.backoff.attempts)
      this.#finish(reason)
    else this.#wait()
  }

  #wait(): void {
    if (this.#state === 'closed') return
    const wait = waitBefore(this.#clientSettings.backoff, this.#failures, Math.random())
    this.#nextAttemptAt = Date.now() + wait
    this.#attemptTimer = setTimeout(() => this.#dial(), wait)
    if (!this.#isRefed) this.#attemptTimer.unref()
    this.#enter('waiting')
  }

  write(message: unknown): boolean {
    if (this.#isEnding || this.#state === 'closed') return false
    const conn = this.#conn
    if (conn?.isWritable) return conn.write(message)
    if (!this.#clientSettings.queues) return false
    this.#enqueue(message)
    return true
  }

  /** Encodes a message, and queues it for the next connection. */
  #enqueue(message: unknown): void {
    // `encode` may write to this client too. That inner message needs a writer of its own.
    const writer = this.#writer.isBusy ? new WriterImpl() : this.#writer
    writer.isBusy = true
    try {
      const bytes = encodeFrame(this.#settings.conn.codec, message, writer)
      const { maxOffline } = this.#clientSettings
      if (this.queued + bytes.length > maxOffline) {
        throw new MillraceError(
          'ERR_WRITE_BUFFER_FULL',
          `${this.queued + bytes.length} bytes would wait for a connection, over maxOffline (${maxOffline})`,
        )
      }
      this.#queue ??= new GrowingBuffer()
      this.#queue.append(bytes, 0, bytes.length)
    } finally {
      writer.isBusy = false
      writer.releaseScratch()
    }
  }

  end(): void {
    this.#endWith((conn) => conn.end())
  }

  close(): void {
    this.#endWith((conn) => conn.close())
  }

  /** Ends the client once its connection has closed, which `endConn` brings about. */
  #endWith(endConn: (conn: ConnImpl) => void): void {
    if (this.#state === 'closed') return
    this.#isEnding = true
    const conn = this.#current
    if (conn === undefined) this.#finish(undefined)
    else endConn(conn)
  }

  destroy(error?: Error): void {
    this.#stop(error)
  }

  /** Drops the connection, and ends the client. */
  #stop(reason: unknown): void {
    if (this.#state === 'closed') return
    this.#isEnding = true
    const conn = this.#current
    if (conn === undefined) this.#finish(reason)
    else conn.destroy(reason === undefined ? undefined : toError(reason))
  }

  /** The connection, including one whose `context` or `open` still runs. */
  get #current(): ConnImpl | undefined {
    return this.#conn ?? this.#dialer?.conn
  }

  /** Closes the client. There is no connection any more. */
  #finish(reason: unknown): void {
    if (this.#state === 'closed') return
    this.#isEnding = true
    clearTimeout(this.#attemptTimer)
    this.#nextAttemptAt = undefined
    this.#queue = undefined
    this.#ignoreSignal?.()
    this.#group?.leaveSoon()
    this.#group = undefined
    this.#enter('closed')
    this.#dialer?.giveUp(reason)
    this.#connected.reject(reason ?? new MillraceError('ERR_CLOSED', 'the client is closed'))
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
    if (isRefed) this.#attemptTimer?.ref()
    else this.#attemptTimer?.unref()
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
    await this.closed.catch(() => {})
  }
}

showAs(ClientImpl, 'Client', ({ state, conn, attempt, queued }) => ({
  state,
  conn,
  attempt,
  queued,
}))
