/** The implementation of `DatagramSocket`. */

import { portOf } from '../address/format.js'
import type { ReaderImpl } from '../codec/reader-impl.js'
import { MillraceError, toError } from '../errors.js'
import type { SettingInit } from '../native/binding.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import { callHandler } from '../util/call-handler.js'
import { byte, onOff } from '../util/checks.js'
import { type Deferred, deferred } from '../util/deferred.js'
import { ErrorReporter } from '../util/error-reporter.js'
import { showAs } from '../util/inspect.js'
import { Scope } from '../util/scope.js'
import type { DatagramSettings } from './check-bind.js'
import type { AnyHandlers } from './datagram-handlers.js'
import {
  CONNECTED,
  type DatagramInfo,
  DatagramInfoImpl,
  DestinationCache,
} from './datagram-info.js'
import { checkLiveOptions, type DatagramSocketOptions } from './datagram-live-options.js'
import { MAX_IPV4_DATAGRAM } from './datagram-size.js'
import type { DatagramSocket, DatagramStats, ReceivedDatagram } from './datagram-socket.js'
import type { LoopSocket } from './loop-socket.js'
import { LoopSockets } from './loop-sockets.js'
import { Memberships } from './memberships.js'
import { membershipSetting, outgoingInterface } from './multicast.js'
import type { MembershipOptions } from './multicast-options.js'
import { ParkedDatagrams } from './parked-datagrams.js'
import { datagramIterator, deliverParked, receive, stopReading } from './receiving.js'
import type { SilenceWatch } from './silence-watch.js'

/** The families of addresses that a socket can send to. */
export interface Families {
  readonly v4: boolean
  readonly v6: boolean
}

/**
 * A datagram socket: its state, sending, options, opening and closing.
 *
 * The functions that deliver datagrams are in `receiving.ts`. They use the fields of this class, which are
 * therefore not private.
 */
export class DatagramSocketImpl implements DatagramSocket<unknown, unknown> {
  readonly settings: DatagramSettings
  readonly handlers: AnyHandlers
  /** Where the handlers run. */
  readonly scope: Scope = new Scope()
  /** Datagrams that `send` dropped. */
  discarded = 0
  address: `udp://${string}` = 'udp://'
  /** The peer of a connected socket. */
  remote = ''
  loopSockets: LoopSockets = new LoopSockets([])
  /** Whether the user pulls datagrams, because there is no `message` handler. */
  readonly isPulled: boolean
  isPaused = false
  /** How many of its loops' parts have output that waits for room, so that no datagram is delivered. */
  held = 0
  /** Whether the loops were told to stop receiving. */
  isReadingStopped = false
  /** Whether the user has the socket. Until then datagrams are parked. */
  isBound = false
  /** Whether the socket neither sends nor delivers any more. */
  isEnded = false
  /** The error that the socket ended with. */
  error: Error | undefined
  readonly parked: ParkedDatagrams = new ParkedDatagrams()
  /** Resolves when a pending `next()` has to look for a datagram again. */
  pull: Deferred<void> | undefined
  /** The limits in time of a connected socket, if it has any. */
  silence: SilenceWatch | undefined
  #isConnected = false
  #families: Families = { v4: false, v6: false }
  /** The size of the largest datagram that can be sent, in bytes. */
  #max = 0
  #memberships = new Memberships(this.loopSockets, [])
  readonly #destinations = new DestinationCache()
  readonly #reporter = new ErrorReporter()
  /** Whether the loops have closed the socket. */
  #isClosed = false
  #isRefed = true
  readonly #closed: Deferred<void> = deferred()
  readonly #groupLeft: Promise<void>

  constructor(settings: DatagramSettings, handlers: AnyHandlers, group: Group) {
    this.settings = settings
    this.handlers = handlers
    this.isPulled = handlers.message === undefined
    // Not at once, because leaving may stop the loop whose records are being processed.
    this.#groupLeft = this.#closed.promise.then(() => group.leave())
  }

  get port(): number {
    return portOf(this.address) ?? 0
  }
  get readyState(): 'open' | 'closed' {
    return this.isEnded ? 'closed' : 'open'
  }

  // ---- sending ----

  send(message: unknown, to?: DatagramInfo | string): boolean {
    if (this.isEnded) return false
    this.silence?.sent()
    if (this.#isConnected) return this.#sendToPeer(message, to)
    const peer = this.#destination(to)
    const { isIPv4 } = peer
    if (!(isIPv4 ? this.#families.v4 : this.#families.v6)) {
      throw new MillraceError(
        'ERR_INVALID_ADDRESS',
        `${peer.remote} is not an address that ${this.address} can send to: use one of the same family`,
      )
    }
    const max = isIPv4 && this.#max > MAX_IPV4_DATAGRAM ? MAX_IPV4_DATAGRAM : this.#max
    return this.loopSockets.choose(peer).send(peer, message, max)
  }

  /** Sends on a connected socket. */
  #sendToPeer(message: unknown, to: DatagramInfo | string | undefined): boolean {
    if (to !== undefined) {
      throw new MillraceError(
        'ERR_INVALID_ADDRESS',
        `a connected socket sends only to its peer, ${this.remote}: leave out the destination`,
      )
    }
    const max = this.#families.v6 ? this.#max : Math.min(this.#max, MAX_IPV4_DATAGRAM)
    return this.loopSockets.choose(CONNECTED).send(CONNECTED, message, max)
  }

  #destination(to: DatagramInfo | string | undefined): DatagramInfoImpl {
    if (to instanceof DatagramInfoImpl) return to
    if (typeof to === 'string') return this.#destinations.parse(to)
    throw new MillraceError(
      'ERR_INVALID_ADDRESS',
      "the destination has to be an address such as '127.0.0.1:9000', or the info of a datagram",
    )
  }

  stats(): DatagramStats {
    return { ...this.loopSockets.counts(), discarded: this.discarded }
  }

  // ---- receiving ----

  pause(): void {
    if (this.isPaused || this.isEnded) return
    this.isPaused = true
    stopReading(this)
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.silence?.begin(this)
    if (!this.isEnded) theEnvironment().pump.resume(this)
  }

  deliverParked(): void {
    deliverParked(this)
  }
  failed(thrown: unknown): void {
    this.report(toError(thrown))
  }

  receive(
    reader: ReaderImpl,
    memory: Buffer,
    at: number,
    end: number,
    from: DatagramInfoImpl,
  ): void {
    this.silence?.received()
    receive(this, reader, memory, at, end, from)
  }

  [Symbol.asyncIterator](): AsyncIterator<ReceivedDatagram<unknown>> {
    return datagramIterator(this)
  }

  /** Makes a pending `next()` look for a datagram again. */
  wakePull(): void {
    this.pull?.resolve()
    this.pull = undefined
  }

  // ---- options ----

  async joinMulticast(group: string, options?: MembershipOptions): Promise<void> {
    const setting = membershipSetting('join', group, options)
    if (this.isEnded || !this.#memberships.join(setting)) throw isClosed()
  }

  async leaveMulticast(group: string, options?: MembershipOptions): Promise<void> {
    const setting = membershipSetting('leave', group, options)
    if (this.isEnded || !this.#memberships.leave(setting)) throw isClosed()
  }

  async setMulticastInterface(name: string | number): Promise<void> {
    this.#setAll(outgoingInterface(name, this.#families.v6 ? 6 : 4))
  }

  async setMulticastTTL(ttl: number): Promise<void> {
    this.#setAll({ name: 'multicastTtl', value: byte('ttl', ttl, 0) })
  }

  async setMulticastLoopback(on: boolean): Promise<void> {
    this.#setAll({ name: 'multicastLoopback', value: onOff(on) })
  }

  async setTTL(ttl: number): Promise<void> {
    this.#setAll({ name: 'ttl', value: byte('ttl', ttl, 1) })
  }

  async setBroadcast(on: boolean): Promise<void> {
    this.#setAll({ name: 'broadcast', value: onOff(on) })
  }

  async setSocketOptions(options: DatagramSocketOptions): Promise<void> {
    const settings = checkLiveOptions(options)
    if (this.isEnded) throw isClosed()
    for (const setting of settings) this.#setAll(setting)
  }

  async socketOptions(): Promise<DatagramSocketOptions> {
    const options = this.isEnded ? undefined : this.loopSockets.options()
    if (options === undefined) throw isClosed()
    return options
  }

  /** Sets an option on each loop that is left. */
  #setAll(setting: SettingInit): void {
    if (this.isEnded || !this.loopSockets.set(setting)) throw isClosed()
  }

  // ---- opening and closing ----

  /**
   * Sets what the socket is made of. Called before the loops have the socket.
   *
   * @param max the size of the largest datagram in bytes
   * @param groups the multicast groups that the first loop socket has joined
   */
  setUp(
    loopSockets: readonly LoopSocket[],
    families: Families,
    max: number,
    groups: readonly SettingInit[],
  ): void {
    this.loopSockets = new LoopSockets(loopSockets)
    this.#memberships = new Memberships(this.loopSockets, groups)
    this.#families = families
    this.#max = max
  }

  /** Makes this a connected socket with one peer. */
  setPeer(remote: string): void {
    this.#isConnected = true
    this.remote = remote
  }

  /** Sets the address of a connected socket, which only its loop knows. */
  boundTo(local: string): void {
    if (this.#isConnected) this.address = `udp://${local}`
  }

  /** Hands the loop sockets to their loops. If a loop cannot take its socket, closes all and rejects. */
  async open(signal: AbortSignal | undefined): Promise<void> {
    // Called before the first `await`, so that no record is missed.
    const opened = this.loopSockets.open()
    // Keeps the process alive while the loops open their sockets.
    theEnvironment().hold(1)
    const results = await Promise.allSettled(opened)
    const failed = results.find((result) => result.status === 'rejected')
    if (failed === undefined && !this.#isClosed && !signal?.aborted) {
      this.isBound = true
      this.silence?.begin(this)
      // Delivers the datagrams that arrived before now.
      theEnvironment().pump.resume(this)
      return
    }
    await this.close()
    theEnvironment().hold(-1)
    throw failed?.reason ?? this.error ?? signal?.reason
  }

  /** Resolves once the socket is closed and has left its group of loops. */
  get finished(): Promise<void> {
    return this.#groupLeft
  }

  /** A loop socket has room again. Calls `drain` once all of them have. */
  drained(): void {
    if (this.isEnded || this.loopSockets.isDrainPending) return
    callHandler(
      () => this.handlers.drain?.(this),
      (error) => this.report(error),
    )
  }

  /** Reports an error to the handler `error`, or as a process warning. */
  report(error: Error, info?: DatagramInfoImpl): void {
    const { handlers } = this
    this.#reporter.report(error, handlers.error && (() => handlers.error?.(error, this, info)))
  }

  /**
   * A loop socket has closed.
   *
   * @param wasDrainPending whether `drain` was to follow once that loop socket had room
   */
  loopSocketClosed(closed: LoopSocket, error: Error | undefined, wasDrainPending: boolean): void {
    if (this.loopSockets.isAlive) {
      if (error !== undefined && this.isBound) this.#goOnWithout(closed, error, wasDrainPending)
      return
    }
    if (this.#isClosed) return
    this.error ??= error
    this.#isClosed = true
    const wasBound = this.isBound
    this.#end()
    if (wasBound) this.#reportClosed()
    this.#closed.resolve()
  }

  #reportClosed(): void {
    if (this.#isRefed) theEnvironment().hold(-1)
    const { handlers, error } = this
    if (handlers.close !== undefined) {
      callHandler(
        () => handlers.close?.(this, error),
        (thrown) => this.report(thrown),
      )
    } else if (error !== undefined) {
      this.report(error)
    }
  }

  /** Goes on with the other loops, and reports the error, which does not close the socket. */
  #goOnWithout(lost: LoopSocket, error: Error, wasDrainPending: boolean): void {
    this.report(error)
    if (this.isEnded) return
    this.#memberships.move(lost, (error) => this.report(error))
    // The datagrams that waited on the lost loop are gone, so there may be room again.
    if (wasDrainPending) this.drained()
  }

  /** Stops receiving and sending. */
  #end(): void {
    this.isEnded = true
    this.silence?.stop()
    this.parked.clear()
    this.wakePull()
  }

  close(): Promise<void> {
    if (!this.isEnded) {
      this.#end()
      this.loopSockets.end()
    }
    return this.#groupLeft
  }

  /** Closes the socket with an error. */
  giveUp(error: Error): void {
    this.error = error
    void this.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  ref(): this {
    if (!this.#isRefed && !this.#isClosed) theEnvironment().hold(1)
    this.#isRefed = true
    return this
  }

  unref(): this {
    if (this.#isRefed && !this.#isClosed) theEnvironment().hold(-1)
    this.#isRefed = false
    return this
  }
}

showAs(DatagramSocketImpl, 'DatagramSocket', ({ address, remote, readyState }) =>
  remote === '' ? { address, readyState } : { address, remote, readyState },
)

function isClosed(): MillraceError {
  return new MillraceError('ERR_CLOSED', 'the socket is closed')
}
