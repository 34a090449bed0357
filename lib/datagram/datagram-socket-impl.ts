/** The one implementation of `DatagramSocket`. */

import { portOf } from '../address/format.js'
import { SWALLOWED } from '../codec/codec.js'
import { type FrameReader, readerOver } from '../codec/reader.js'
import { type Deferred, deferred } from '../connection/cold-state.js'
import { isAsync, notConsumed } from '../connection/reading.js'
import { isThenable } from '../connection/writing.js'
import { MillraceError, toError } from '../errors.js'
import type { SettingInit } from '../native/binding.js'
import { KIND_PAUSE, KIND_RESUME } from '../native/record.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import { byte, onOff } from '../util/checks.js'
import { Warnings } from '../util/warnings.js'
import {
  CONNECTED,
  type DatagramInfo,
  DatagramInfoImpl,
  DestinationCache,
} from './datagram-info.js'
import type { DatagramStats, MembershipOptions, Received } from './datagram-socket.js'
import type { LoopSocket } from './loop-socket.js'
import { LoopSockets } from './loop-sockets.js'
import { Memberships } from './memberships.js'
import {
  type AnyHandlers,
  type AnySocket,
  changes,
  type DatagramSettings,
  type DatagramSocketOptions,
  LONGEST_IPV4,
  membership,
  outgoingInterface,
} from './options.js'
import { DatagramParking } from './parking.js'

/** Which addresses a socket can send to. */
export interface Families {
  readonly v4: boolean
  readonly v6: boolean
}

export class DatagramSocketImpl implements AnySocket {
  readonly settings: DatagramSettings
  /** Datagrams that `send` dropped. */
  discarded = 0
  address = ''
  /** The peer of a connected socket. */
  remote = ''
  #isConnected = false
  #families: Families = { v4: false, v6: false }
  #lanes = new LoopSockets([])
  #max = 0
  #memberships = new Memberships(this.#lanes, [])
  readonly #group: Group
  readonly #handlers: AnyHandlers
  readonly #peers = new DestinationCache()
  readonly #warnings = new Warnings()
  readonly #isPulled: boolean
  #isPaused = false
  /** The loops were told to stop reading. */
  #isHeld = false
  /** `bind` has given it to its user. */
  #isBound = false
  #isEnded = false
  #isClosed = false
  #isRefed = true
  #error: Error | undefined
  readonly #parking: DatagramParking
  /** Somebody pulls and waits. */
  #pull: Deferred<void> | undefined
  /** Its loops have closed it, and its group is left. */
  readonly #closed: Deferred<void> = deferred()
  readonly #over: Promise<void>

  constructor(settings: DatagramSettings, handlers: AnyHandlers, group: Group) {
    this.settings = settings
    this.#handlers = handlers
    this.#group = group
    this.#parking = new DatagramParking(settings.maxParked)
    this.#isPulled = handlers.message === undefined
    // Not while a loop's records are taken: leaving may end that loop.
    this.#over = this.#closed.promise.then(() => group.leave())
  }

  get group(): Group | undefined {
    return this.#isEnded ? undefined : this.#group
  }
  get port(): number {
    return portOf(this.address) ?? 0
  }
  get readyState(): 'open' | 'closed' {
    return this.#isEnded ? 'closed' : 'open'
  }

  send(message: unknown, to?: DatagramInfo | string): boolean {
    if (this.#isEnded) return false
    if (this.#isConnected) return this.#sendToPeer(message, to)
    const peer = this.#peerOf(to)
    const { family } = peer
    if (!(family === 4 ? this.#families.v4 : this.#families.v6)) {
      throw new MillraceError(
        'ERR_INVALID_ADDRESS',
        `${peer.remote} is not of a family that ${this.address} can send to`,
      )
    }
    const max = family === 4 && this.#max > LONGEST_IPV4 ? LONGEST_IPV4 : this.#max
    return this.#lanes.choose(peer).send(peer, message, max)
  }

  /** On a connected socket. */
  #sendToPeer(message: unknown, to: DatagramInfo | string | undefined): boolean {
    if (to !== undefined) {
      throw new MillraceError(
        'ERR_INVALID_ADDRESS',
        `a connected socket sends to its peer alone, ${this.remote}`,
      )
    }
    const max = this.#families.v6 ? this.#max : Math.min(this.#max, LONGEST_IPV4)
    return this.#lanes.choose(CONNECTED).send(CONNECTED, message, max)
  }

  #peerOf(to: DatagramInfo | string | undefined): DatagramInfoImpl {
    if (to instanceof DatagramInfoImpl) return to
    if (typeof to === 'string') return this.#peers.parse(to)
    throw new MillraceError(
      'ERR_INVALID_ADDRESS',
      "where to send is 'ip:port' or the info of a datagram",
    )
  }

  stats(): DatagramStats {
    return { ...this.#lanes.counts(), discarded: this.discarded }
  }

  pause(): void {
    if (this.#isPaused || this.#isEnded) return
    this.#isPaused = true
    this.#hold()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    if (!this.#isEnded) theEnvironment().resume(this)
  }

  /** After `resume`: delivers what is parked, then lets the loops read on. */
  goOn(): void {
    if (this.#isPulled) {
      this.#wake()
    } else {
      while (!this.#isPaused && !this.#isEnded) {
        const parked = this.#parking.shift()
        if (parked === undefined) break
        const { bytes, from } = parked
        this.#deliver(readerOver(bytes, true), 0, bytes.length, from)
      }
    }
    this.#releaseIfRoom()
  }

  #hold(): void {
    if (this.#isHeld) return
    this.#isHeld = true
    this.#lanes.tell(KIND_PAUSE)
  }

  #releaseIfRoom(): void {
    if (!this.#isHeld || this.#isPaused || this.#isEnded) return
    if (!this.#parking.hasRoom) return
    this.#isHeld = false
    this.#lanes.tell(KIND_RESUME)
  }

  // ---- receiving ----

  receive(
    reader: FrameReader,
    memory: Buffer,
    at: number,
    end: number,
    from: DatagramInfoImpl,
  ): void {
    if (this.#isEnded) return
    const isBehind = !this.#parking.isEmpty
    if (this.#isPaused || this.#isPulled || isBehind || !this.#isBound) {
      this.#park(Buffer.from(memory.subarray(at, end)), from)
    } else {
      this.#deliver(reader, at, end, from)
    }
  }

  /** The datagram's message; `undefined` if it has none. */
  #decode(reader: FrameReader, at: number, end: number, from: DatagramInfoImpl): unknown {
    try {
      reader.open(at, end)
      const message = this.settings.codec.decode(reader)
      const left = reader.end - reader.pos
      reader.close()
      if (isThenable(message)) throw isAsync(message)
      if (left !== 0) throw notConsumed(left)
      return message === SWALLOWED ? undefined : message
    } catch (thrown) {
      reader.close()
      // One bad datagram is nobody else's concern.
      this.report(toError(thrown), from)
      return undefined
    }
  }

  #deliver(reader: FrameReader, at: number, end: number, from: DatagramInfoImpl): void {
    const message = this.#decode(reader, at, end, from)
    if (message === undefined) return
    try {
      const result = this.#handlers.message?.(this, message, from)
      if (isThenable(result)) this.#track(result, from)
    } catch (thrown) {
      this.report(toError(thrown), from)
    }
  }

  #track(promise: PromiseLike<unknown>, from?: DatagramInfoImpl): void {
    promise.then(undefined, (reason: unknown) => this.report(toError(reason), from))
  }

  #park(bytes: Buffer, from: DatagramInfoImpl): void {
    this.#parking.push(bytes, from)
    if (this.#parking.isFull) this.#hold()
    this.#wake()
  }

  [Symbol.asyncIterator](): AsyncIterator<Received<unknown>> {
    if (!this.#isPulled) {
      throw new TypeError('a socket with a message handler cannot be iterated')
    }
    return {
      next: () => this.#next(),
      return: async () => ({ done: true, value: undefined }),
    }
  }

  async #next(): Promise<IteratorResult<Received<unknown>, undefined>> {
    for (;;) {
      while (!this.#isPaused && !this.#isEnded) {
        const parked = this.#parking.shift()
        if (parked === undefined) break
        const { bytes, from: info } = parked
        const message = this.#decode(readerOver(bytes, true), 0, bytes.length, info)
        if (message !== undefined) {
          this.#releaseIfRoom()
          return { done: false, value: { message, info } }
        }
      }
      this.#releaseIfRoom()
      if (this.#isEnded) {
        if (this.#error !== undefined) throw this.#error
        return { done: true, value: undefined }
      }
      this.#pull ??= deferred<void>()
      await this.#pull.promise
    }
  }

  #wake(): void {
    this.#pull?.resolve()
    this.#pull = undefined
  }

  // ---- options ----

  async joinMulticast(group: string, options?: MembershipOptions): Promise<void> {
    const setting = membership('join', group, options)
    if (this.#isEnded || !this.#memberships.join(setting)) throw isClosed()
  }

  async leaveMulticast(group: string, options?: MembershipOptions): Promise<void> {
    const setting = membership('leave', group, options)
    if (this.#isEnded || !this.#memberships.leave(setting)) throw isClosed()
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
    const settings = changes(options)
    if (this.#isEnded) throw isClosed()
    for (const setting of settings) this.#setAll(setting)
  }

  async socketOptions(): Promise<DatagramSocketOptions> {
    const options = this.#isEnded ? undefined : this.#lanes.options()
    if (options === undefined) throw isClosed()
    return options
  }

  /** Sets an option on each loop that is left. */
  #setAll(setting: SettingInit): void {
    if (this.#isEnded || !this.#lanes.set(setting)) throw isClosed()
  }

  // ---- its life ----

  /** What it is made of, before its loops have it. */
  starts(
    lanes: readonly LoopSocket[],
    families: Families,
    max: number,
    groups: readonly SettingInit[],
  ): void {
    this.#lanes = new LoopSockets(lanes)
    this.#memberships = new Memberships(this.#lanes, groups)
    this.#families = families
    this.#max = max
  }

  /** It has one peer: its loop knows our end of that. */
  connects(remote: string): void {
    this.#isConnected = true
    this.remote = remote
  }

  /** Where the system has bound it. */
  boundTo(local: string): void {
    if (this.#isConnected) this.address = `udp://${local}`
  }

  /** Gives it to its loops; rejects if one of them cannot have it, and then nothing is left. */
  async opens(signal: AbortSignal | undefined): Promise<void> {
    // Before the first await: what its loops tell is not missed.
    const opened = this.#lanes.open()
    // Held until its user has it, so that the process does not end before.
    theEnvironment().hold(1)
    const results = await Promise.allSettled(opened)
    const failed = results.find((result) => result.status === 'rejected')
    if (failed === undefined && !this.#isClosed && !signal?.aborted) {
      this.#isBound = true
      // What came in before is parked.
      theEnvironment().resume(this)
      return
    }
    await this.close()
    theEnvironment().hold(-1)
    throw failed?.reason ?? this.#error ?? signal?.reason
  }

  /** Resolves when it is closed and has left its loops. */
  get over(): Promise<void> {
    return this.#over
  }

  drained(): void {
    if (this.#isEnded || this.#lanes.areAsked) return
    this.#call(() => this.#handlers.drain?.(this))
  }

  #call(handler: () => unknown): void {
    try {
      const result = handler()
      if (isThenable(result)) this.#track(result)
    } catch (thrown) {
      this.report(toError(thrown))
    }
  }

  /** Tells what closes nothing: to `error`, or as a warning. */
  report(error: Error, info?: DatagramInfoImpl): void {
    const { error: handler } = this.#handlers
    if (handler === undefined) {
      this.#warnings.warn(error)
      return
    }
    const warn = (thrown: unknown) => this.#warnings.warn(toError(thrown))
    try {
      const result = handler(error, this, info)
      if (isThenable(result)) result.then(undefined, warn)
    } catch (thrown) {
      warn(thrown)
    }
  }

  laneClosed(lane: LoopSocket, error: Error | undefined, wasAsked: boolean): void {
    if (this.#lanes.areAlive) {
      if (error !== undefined && this.#isBound) this.#goOnWithout(lane, error, wasAsked)
      return
    }
    if (this.#isClosed) return
    this.#error = error
    this.#isClosed = true
    const wasBound = this.#isBound
    this.#end()
    if (wasBound) {
      if (this.#isRefed) theEnvironment().hold(-1)
      const { close } = this.#handlers
      if (close !== undefined) this.#call(() => close.call(this.#handlers, this, this.#error))
      else if (this.#error !== undefined) this.report(this.#error)
    }
    this.#closed.resolve()
  }

  /** A loop was lost, and the others go on. That is told to `error`, and is not why it ends one day. */
  #goOnWithout(lane: LoopSocket, error: Error, wasAsked: boolean): void {
    this.report(error)
    if (this.#isEnded) return
    this.#memberships.move(lane, (error) => this.report(error))
    // What waited there is gone: there is room.
    if (wasAsked) this.drained()
  }

  /** Nothing more is received or sent. */
  #end(): void {
    this.#isEnded = true
    this.#parking.clear()
    this.#wake()
  }

  close(): Promise<void> {
    if (!this.#isEnded) {
      this.#end()
      this.#lanes.end()
    }
    return this.#over
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

// For `console.log`: what a user would ask for.
Object.defineProperty(DatagramSocketImpl.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: DatagramSocketImpl): object {
    const { address, readyState } = this
    return { address, readyState }
  },
})

function isClosed(): MillraceError {
  return new MillraceError('ERR_CLOSED', 'the socket is closed')
}
