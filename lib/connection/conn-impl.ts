/** The implementation of `Conn`. */

import {
  endpointAddress,
  endpointFamily,
  endpointPort,
  formatEndpoint,
  readEndpoints,
} from '../address/endpoint.js'
import type { Codec } from '../codec/codec.js'
import type { Decoder, RawSink } from '../codec/decode.js'
import type { ReaderImpl } from '../codec/reader-impl.js'
import { bytesReceived } from '../native/binding.js'
import { closeError, isStreamBroken, loopPanicked } from '../native/close-error.js'
import {
  CLOSE_ERRNO,
  CLOSE_REASON,
  CLOSE_RECEIVED,
  CLOSE_SENT,
  REASON_LINGER_TIMEOUT,
  REASON_MAX_LIFETIME,
  REASON_NONE,
  REASON_SWITCHED,
} from '../native/record.js'
import type { Loop } from '../runtime/loop.js'
import type { LoopConn } from '../runtime/record-handlers.js'
import type { SocketOptions } from '../socket/socket-options.js'
import { unawaited } from '../util/deferred.js'
import { showAs } from '../util/inspect.js'
import type { Scope } from '../util/scope.js'
import { isThenable } from '../util/thenable.js'
import { deliverLast, setCodec, switchedByLoop } from './codec-switch.js'
import { ColdState } from './cold-state.js'
import type { Conn, ReadyState } from './conn.js'
import { changeLiveOptions, readLiveOptions } from './conn-live-options.js'
import { inputEnded, promiseSettled } from './end-of-input.js'
import * as ending from './ending.js'
import {
  CLOSED,
  CLOSING,
  DESTROYED,
  ENDED,
  FAILED,
  HELD,
  INPUT_DONE,
  LAST_REPLIES,
  OUTPUT_OVER,
  PULL_MODE,
  READING_STOPPED,
  RETIRED,
  SENDING_FILE,
  TAKEN,
  UNREFED,
  WATCHES_MESSAGES,
} from './flags.js'
import { fail, trackPromise } from './handler-failure.js'
import type { LatePromise } from './handler-watch.js'
import { makeContext } from './make-context.js'
import { pause, release, resume, takesMessages } from './pausing.js'
import { peerOf } from './peer.js'
import type { LocalEndpoint, Profile } from './profile.js'
import { messageIterator } from './pulling.js'
import * as reading from './reading.js'
import { setTimeouts, timedOut } from './timed-out.js'
import type { LiveTimeouts } from './timeouts.js'
import * as writing from './writing.js'

/**
 * One connection: its state, its identity and its life.
 *
 * What it does with input is in `reading`, `pulling`, `pausing` and `end-of-input`, with output in `writing`, and how
 * it ends in `ending`: functions over this object, whose fields are therefore not private. Users see only what
 * `Conn` declares.
 */
export class ConnImpl implements Conn<unknown, unknown, unknown>, LoopConn, RawSink {
  readonly id: number
  context: unknown = undefined
  readonly slot: number
  readonly generation: number
  /** That of its listener or client, or, after a switch, the same with another framing. */
  profile: Profile
  readonly eventLoop: Loop
  currentCodec: Codec<unknown, unknown>
  /** See the file `flags`. */
  flags = 0
  /** Bytes that were written. */
  written = 0
  /** Bytes that the kernel is known to have taken. */
  sent = 0
  /** Promises of handlers that have not settled. */
  pendingPromises = 0
  cold: ColdState | undefined
  readonly #remoteIp: number | string
  readonly #remotePort: number
  readonly #local: LocalEndpoint
  /** Bytes received, once the connection is closed. */
  #received = 0

  /** @param at where in `view` the payload of the `OPEN` record begins */
  constructor(
    loop: Loop,
    slot: number,
    generation: number,
    profile: Profile,
    view: DataView,
    at: number,
  ) {
    this.eventLoop = loop
    this.slot = slot
    this.generation = generation
    this.profile = profile
    this.currentCodec = profile.codec
    this.id = loop.environment.connId()
    const [remote, local] = readEndpoints(view, at)
    this.#remoteIp = remote.ip
    this.#remotePort = remote.port
    this.#local = profile.shareLocal(local)
    if (profile.handlers.message === undefined) this.flags = PULL_MODE
    if (profile.watchesMessages) this.flags |= WATCHES_MESSAGES
  }

  /** Returns the cold state, which is allocated at its first use. */
  coldState(): ColdState {
    this.cold ??= new ColdState()
    return this.cold
  }

  get scope(): Scope {
    return this.profile.scope
  }
  get loop(): number {
    return this.eventLoop.index
  }
  get remote(): string {
    return formatEndpoint(this.#remoteIp, this.#remotePort)
  }
  get remoteAddress(): string | undefined {
    return endpointAddress(this.#remoteIp, this.#remotePort)
  }
  get remotePort(): number | undefined {
    return endpointPort(this.#remoteIp, this.#remotePort)
  }
  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return endpointFamily(this.#remoteIp, this.#remotePort)
  }
  get local(): string {
    return this.#local.text
  }
  get localAddress(): string | undefined {
    return endpointAddress(this.#local.ip, this.#local.port)
  }
  get localPort(): number | undefined {
    return endpointPort(this.#local.ip, this.#local.port)
  }
  get localFamily(): 'IPv4' | 'IPv6' | undefined {
    return endpointFamily(this.#local.ip, this.#local.port)
  }
  get codec(): Codec<unknown, unknown> {
    return this.currentCodec
  }
  set codec(codec: Codec<unknown, unknown>) {
    setCodec(this, codec)
  }
  get readyState(): ReadyState {
    const { flags } = this
    if (flags & (CLOSED | DESTROYED)) return 'closed'
    if (flags & CLOSING) return 'closing'
    if (flags & ENDED) return flags & INPUT_DONE ? 'closing' : 'readOnly'
    return flags & INPUT_DONE ? 'writeOnly' : 'open'
  }
  get bytesRead(): number {
    if (this.flags & CLOSED) return this.#received
    const { environment, index } = this.eventLoop
    return Math.max(0, bytesReceived(environment.handle, index, this.slot, this.generation))
  }
  get bytesWritten(): number {
    return this.written - (this.cold?.relayed ?? 0)
  }
  get buffered(): number {
    return writing.buffered(this)
  }

  /** Whether it is a connection of a Unix socket: only an IP address has a port, or is a number. */
  get isUnix(): boolean {
    return typeof this.#remoteIp === 'string' && (this.#remotePort === -1 || this.#remoteIp === '')
  }

  /** Whether messages can be written. */
  get isWritable(): boolean {
    return !(this.flags & (OUTPUT_OVER | TAKEN | SENDING_FILE))
  }

  /** Whether the connection ended because the user's code threw. */
  get isFailed(): boolean {
    return (this.flags & FAILED) !== 0
  }

  // ---- what users call ----

  write(message: unknown): boolean {
    return writing.write(this, message)
  }
  flushed(): Promise<void> {
    return writing.flushed(this)
  }
  drained(): Promise<void> {
    return writing.drained(this)
  }
  pause(): void {
    pause(this)
  }
  resume(): void {
    resume(this)
  }
  end(message?: unknown): void {
    ending.end(this, message)
  }
  close(message?: unknown): void {
    ending.close(this, message)
  }
  destroy(error?: Error): void {
    ending.destroy(this, error)
  }
  reset(error?: Error): void {
    ending.reset(this, error)
  }
  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return messageIterator(this)
  }

  ref(): this {
    if (this.flags & UNREFED) {
      this.flags &= ~UNREFED
      if (!(this.flags & CLOSED)) this.eventLoop.environment.hold(1)
    }
    return this
  }

  unref(): this {
    if (!(this.flags & UNREFED)) {
      this.flags |= UNREFED
      if (!(this.flags & CLOSED)) this.eventLoop.environment.hold(-1)
    }
    return this
  }

  setTimeouts(timeouts: LiveTimeouts): void {
    setTimeouts(this, timeouts)
  }

  setSocketOptions(options: SocketOptions): Promise<void> {
    return unawaited(changeLiveOptions(this, options))
  }

  socketOptions(): Promise<SocketOptions> {
    return unawaited(readLiveOptions(this))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.flags & CLOSED) return
    const closed = this.coldState().closed.promise()
    this.close()
    await closed
  }

  // ---- what others here call ----

  /** Sends bytes that are encoded already. Returns what `write` would. */
  writeEncoded(bytes: Buffer): boolean {
    return writing.writeEncoded(this, bytes)
  }

  /** Says that the loop was told from the start not to read. */
  startWithoutReading(): void {
    this.flags |= READING_STOPPED
  }

  /** One of the promises that handlers returned has settled. */
  promiseSettled(late: LatePromise | undefined): void {
    promiseSettled(this, late)
  }

  /** Runs `context` and `open`. Returns what they threw. */
  opened(): Error | undefined {
    const { profile } = this
    const { handlers } = profile
    this.eventLoop.environment.hold(1)
    profile.owner.connOpened(this)
    try {
      if (profile.codecOf !== undefined || handlers.context !== undefined) this.#setUp(profile)
      const result = handlers.open?.(this)
      if (isThenable(result)) trackPromise(this, result)
      return undefined
    } catch (thrown) {
      return fail(this, thrown)
    }
  }

  /** Asks the user for the codec and the context of this connection. */
  #setUp(profile: Profile): void {
    const peer = peerOf({ ip: this.#remoteIp, port: this.#remotePort }, this.local)
    if (profile.codecOf !== undefined) this.currentCodec = profile.codecFor(peer)
    this.context = makeContext(profile.handlers, peer)
  }

  // ---- what the loop calls ----

  receive(reader: ReaderImpl, memory: Buffer, at: number, end: number): void {
    reading.receive(this, reader, memory, at, end)
  }
  beginFrame(length: number): void {
    reading.beginFrame(this, length)
  }
  addToFrame(memory: Buffer, at: number, end: number): void {
    reading.addToFrame(this, memory, at, end)
  }
  inputEnded(reason: number): void {
    if (reason === REASON_SWITCHED) switchedByLoop(this)
    else inputEnded(this, reason)
  }
  timedOut(reason: number): void {
    timedOut(this, reason)
  }
  drainedByLoop(): void {
    writing.drainedByLoop(this)
  }
  flushedByLoop(): void {
    writing.flushedByLoop(this)
  }
  /** Delivers a message of a raw stream. Returns whether the connection takes another one. */
  take(message: unknown): boolean {
    return reading.deliverMessage(this, message)
  }
  discard(count: number): void {
    this.coldState().discards += count
  }
  /** Returns whether `decode` has chosen another codec, which is to look at the same bytes at once. */
  hasReplaced(codec: Decoder): boolean {
    return this.currentCodec !== codec && takesMessages(this)
  }
  deliverParked(): void {
    reading.deliverParked(this)
  }

  hold(): void {
    this.flags |= HELD
  }
  release(): void {
    if (!this.eventLoop.environment.holdsBack(this)) release(this, HELD)
  }

  closedByLoop(view: DataView, at: number): void {
    this.eventLoop.outbound.forget(this)
    deliverLast(this)
    const reason = view.getUint32(at + CLOSE_REASON, true)
    const errno = view.getInt32(at + CLOSE_ERRNO, true)
    if (isStreamBroken(reason)) this.flags |= LAST_REPLIES
    const received = Number(view.getBigUint64(at + CLOSE_RECEIVED, true))
    const sent = Number(view.getBigUint64(at + CLOSE_SENT, true))
    // Of a pipe, the loop may have lost what it has passed on by itself, which is in neither count.
    if (sent === this.written && (reason === REASON_NONE || !(this.flags & TAKEN)))
      this.cold?.resolveFlushed()
    const hasDrained = reason === REASON_NONE || reason === REASON_LINGER_TIMEOUT
    const told = hasDrained && this.flags & RETIRED ? REASON_MAX_LIFETIME : reason
    this.#closed(this.cold?.error ?? closeError(told, errno, this.profile.maxFrame), received)
  }

  failed(thrown: unknown): void {
    fail(this, thrown)
  }

  lost(): void {
    this.#closed(loopPanicked(), 0)
  }

  #closed(error: Error | undefined, received: number): void {
    if (this.flags & CLOSED) return
    this.flags |= CLOSED | ENDED
    this.#received = received
    if (error !== undefined) this.coldState().error = error
    // Making an error is expensive, and usually nobody waits.
    if (this.cold?.isAwaited) this.cold.rejectWaits()
    this.cold?.wakePull()
    this.cold?.stopTimers()
    if (!(this.flags & UNREFED)) this.eventLoop.environment.hold(-1)
    this.cold?.taker?.closed(this, error)
    this.profile.owner.connClosed(this, error)
    this.cold?.closed.resolve()
  }
}

showAs(ConnImpl, 'Conn', ({ id, remote, local, readyState, buffered, context }) => ({
  id,
  remote,
  local,
  readyState,
  buffered,
  context,
}))
