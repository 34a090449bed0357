/** One loop's part of a datagram socket: a kernel socket, and the count of bytes that wait to be sent. */

import { formatEndpoint, readEndpoints } from '../address/endpoint.js'
import type { ReaderImpl } from '../codec/reader-impl.js'
import { MillraceError, toError } from '../errors.js'
import {
  type DatagramCounts,
  datagramCounts,
  datagramsDone,
  dropDatagrams,
  getDatagrams,
  hasSocketOption,
  openDatagrams,
  type SettingInit,
  setDatagrams,
} from '../native/binding.js'
import { closeError } from '../native/close-error.js'
import {
  DATAGRAM_BYTES,
  DATAGRAM_CUT,
  DATAGRAM_FLAGS,
  DATAGRAM_HAS_LOCAL,
  DATAGRAM_LOCAL_BYTES,
  DATAGRAM_NOT_OWN,
  KIND_ASK,
  KIND_END,
  KIND_SEND,
  KIND_SEND_FROM,
  OPTION_DSCP,
  OPTION_RECEIVE_BUFFER,
  OPTION_SEND_BUFFER,
  SLOT_DATAGRAMS,
  TROUBLE_COUNT,
  TROUBLE_ERRNO,
  TROUBLE_RECEIVING,
} from '../native/record.js'
import { nativeError, systemError } from '../native/system-error.js'
import type { Loop } from '../runtime/loop.js'
import type { Origin } from '../runtime/origin.js'
import type { LoopDatagrams } from '../runtime/record-handlers.js'
import { type Deferred, deferred } from '../util/deferred.js'
import type { Scope } from '../util/scope.js'
import { Arrival, Arrivals, NOWHERE } from './arrival.js'
import { DatagramInfoImpl } from './datagram-info.js'
import type { DatagramSocketOptions } from './datagram-live-options.js'
import type { DatagramSocketImpl } from './datagram-socket-impl.js'

/** Bytes that each unsent datagram counts for in addition to its own. The loop counts the same. */
const DATAGRAM_COST = 64
/** What the native half returns if the loop does not have the socket any more. */
const GONE = -1
const GONE_ANSWER = { errno: GONE, value: 0 } as const
/** The options that can be read, and their numbers. */
const READABLE_OPTIONS = [
  ['receiveBuffer', OPTION_RECEIVE_BUFFER],
  ['sendBuffer', OPTION_SEND_BUFFER],
  ['dscp', OPTION_DSCP],
] as const

/** One loop's part of a datagram socket. */
export class LoopSocket implements Origin, LoopDatagrams {
  readonly loop: Loop
  /** Identifies the socket in records until it has a slot. */
  readonly origin: number
  slot = -1
  generation = -1
  isOpen = false
  /** Whether `send` has returned `false` here, and the loop has yet to answer that there is room again. */
  isDrainPending = false
  /** Whether output waits for room in the loop's ring, so that no datagram is delivered. */
  #isHeld = false
  readonly #socket: DatagramSocketImpl
  /** Where datagrams arrive if the socket is bound to one address. */
  #arrival: Arrival = NOWHERE
  /** Where they arrive if it is bound to all addresses of this machine. */
  readonly #arrivals: Arrivals
  /** The index among the parts of the socket. */
  readonly #index: number
  /** Identifies the socket in calls of the native half. */
  readonly #number: number
  readonly #opened: Deferred<void> = deferred()
  /** Bytes given to the loop, with the cost of each datagram. */
  #written = 0
  /** How many of those bytes the kernel has taken. */
  #taken = 0
  /** The final counts. Undefined until the socket has closed. */
  #counts: DatagramCounts | undefined

  constructor(
    socket: DatagramSocketImpl,
    index: number,
    loop: Loop,
    origin: number,
    number: number,
  ) {
    this.#socket = socket
    this.#index = index
    this.#arrivals = new Arrivals(socket, index)
    this.loop = loop
    this.origin = origin
    this.#number = number
  }

  /** Hands the socket to the loop. Resolves once the loop has taken it. */
  open(): Promise<void> {
    this.loop.environment.origins.set(this.origin, this)
    try {
      openDatagrams(this.#handle, this.loop.index, this.#number)
    } catch (error) {
      this.#closed(nativeError(error))
    }
    return this.#opened.promise
  }

  get scope(): Scope {
    return this.#socket.scope
  }

  /** Whether the socket is open, or about to open. */
  get isAlive(): boolean {
    return this.#counts === undefined
  }

  get #handle(): number {
    return this.loop.environment.handle
  }

  // ---- called by the loop ----

  onOpen(loop: Loop, slot: number, generation: number, view: DataView, at: number): void {
    const [, local] = readEndpoints(view, at)
    const address = formatEndpoint(local.ip, local.port)
    this.#socket.boundTo(address)
    this.#arrival = new Arrival(this.#socket, this.#index, address, false)
    this.slot = slot
    this.generation = generation
    this.isOpen = true
    loop.sockets[slot - SLOT_DATAGRAMS] = this
    loop.socketCount++
    this.#opened.resolve()
  }

  /** The loop cannot take the socket. */
  onNews(_kind: number, _loop: Loop, errno: number): void {
    this.#closed(systemError(errno, 'bind'))
  }

  onLoopLost(loop: Loop): void {
    if (loop !== this.loop) return
    this.#closed(
      new MillraceError(
        'ERR_LOOP_PANIC',
        `event loop ${loop.index} has panicked and lost its sockets`,
      ),
    )
  }

  hold(): void {
    if (this.#isHeld) return
    this.#isHeld = true
    this.#socket.held++
  }

  release(): void {
    if (!this.#isHeld || this.loop.environment.holdsBack(this)) return
    this.#isHeld = false
    this.#socket.held--
    if (this.#socket.held === 0) this.loop.environment.pump.resume(this.#socket)
  }

  failed(thrown: unknown): void {
    this.#socket.report(toError(thrown))
  }

  closedByLoop(reason: number): void {
    this.#closed(closeError(reason, 0))
  }

  receive(reader: ReaderImpl, memory: Buffer, words: Int32Array, at: number, end: number): void {
    const flags = words[(at + DATAGRAM_FLAGS) >> 2] as number
    let arrival = this.#arrival
    let bytesAt = at + DATAGRAM_BYTES
    if ((flags & DATAGRAM_HAS_LOCAL) !== 0) {
      arrival = this.#arrivals.find(words, at, (flags & DATAGRAM_NOT_OWN) === 0)
      bytesAt = at + DATAGRAM_LOCAL_BYTES
    }
    const from = new DatagramInfoImpl(words, at >> 2, (flags & DATAGRAM_CUT) !== 0, arrival)
    this.#socket.receive(reader, memory, bytesAt, end, from)
  }

  failedByLoop(words: Int32Array, at: number): void {
    const errno = words[(at + TROUBLE_ERRNO) >> 2] as number
    const isReceiving = words[(at + TROUBLE_RECEIVING) >> 2] !== 0
    const count = (words[(at + TROUBLE_COUNT) >> 2] as number) >>> 0
    this.#socket.report(systemError(errno, isReceiving ? 'recv' : 'send', { count }))
  }

  drainedByLoop(): void {
    if (!this.isDrainPending || !this.isOpen) return
    // The answer does not cover datagrams that were sent after the question.
    if (this.#waiting() > this.#socket.settings.highWaterMark / 2) {
      this.control(KIND_ASK)
      return
    }
    this.isDrainPending = false
    this.#socket.drained()
  }

  #closed(error: Error | undefined): void {
    if (this.#counts !== undefined) return
    this.isOpen = false
    // From now on `drain` depends only on the other loops.
    const wasDrainPending = this.isDrainPending
    this.isDrainPending = false
    this.#counts = datagramCounts(this.#handle, this.#number)
    dropDatagrams(this.#handle, this.#number)
    this.loop.environment.origins.delete(this.origin)
    this.loop.outbound.forget(this)
    this.release()
    if (error === undefined) this.#opened.resolve()
    else this.#opened.reject(error)
    this.#socket.loopSocketClosed(this, error, wasDrainPending)
  }

  // ---- called by the datagram socket ----

  /**
   * Sends a message.
   *
   * @param max the size of the largest datagram in bytes
   * @returns false if more than `highWaterMark` bytes now wait, or if the message was dropped
   * @throws what `encode` throws, or `ERR_FRAME_TOO_LARGE`
   */
  send(to: DatagramInfoImpl, message: unknown, max: number): boolean {
    const { settings } = this.#socket
    if (this.#written - this.#taken > settings.maxWriteBuffer && this.#isFull()) return false
    const { source, socket } = to.arrival
    // Another socket may be bound to another address.
    const isFrom = source !== undefined && socket === this.#socket
    const kind = isFrom ? KIND_SEND_FROM : KIND_SEND
    const length = this.loop.outbound.datagram(kind, this, to, settings.codec, message, max)
    // A separate statement, because `encode` may send too.
    this.#written += length + DATAGRAM_COST
    this.loop.wrote()
    if (this.#written - this.#taken <= settings.highWaterMark && !this.isDrainPending) return true
    return this.#isUnderMark()
  }

  /** Asks how much the kernel has taken. Returns whether the datagram has to be dropped, and counts it. */
  #isFull(): boolean {
    if (this.#waiting() <= this.#socket.settings.maxWriteBuffer) return false
    this.#socket.discarded++
    return true
  }

  /** Returns whether little enough waits. If not, asks the loop to answer once it has drained. */
  #isUnderMark(): boolean {
    if (this.isDrainPending) return false
    if (this.#waiting() <= this.#socket.settings.highWaterMark) return true
    this.isDrainPending = true
    this.control(KIND_ASK)
    return false
  }

  /** Asks how much the kernel has taken, and returns how many bytes wait. */
  #waiting(): number {
    this.#taken = datagramsDone(this.#handle, this.#number)
    return this.#written - this.#taken
  }

  /** Sends a record without a payload. */
  control(kind: number): void {
    this.loop.outbound.control(kind, this)
    this.loop.wrote()
  }

  /** Closes the socket, once the kernel has taken what waits. */
  end(): void {
    if (this.isOpen) this.control(KIND_END)
  }

  /**
   * Sets an option.
   *
   * @returns false if the loop does not have the socket any more
   * @throws the system's error
   */
  set(setting: SettingInit): boolean {
    const errno = this.isOpen ? setDatagrams(this.#handle, this.#number, setting) : GONE
    if (errno > 0) throw systemError(errno, 'setsockopt')
    return errno !== GONE
  }

  /**
   * Reads options from the kernel.
   *
   * @returns undefined if the loop does not have the socket any more
   * @throws the system's error
   */
  options(): DatagramSocketOptions | undefined {
    const options: DatagramSocketOptions = {}
    for (const [name, option] of READABLE_OPTIONS) {
      if (!hasSocketOption(option)) continue
      const { errno, value } = this.isOpen
        ? getDatagrams(this.#handle, this.#number, option)
        : GONE_ANSWER
      if (errno === GONE) return undefined
      if (errno !== 0) throw systemError(errno, 'getsockopt')
      options[name] = value
    }
    return options
  }

  /** Returns the counts, even after the socket has closed. */
  counts(): DatagramCounts {
    return this.#counts ?? datagramCounts(this.#handle, this.#number)
  }
}
