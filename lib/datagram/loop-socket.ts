/** The part of a datagram socket that is on one loop: a kernel's socket, and the count of what waits there. */

import { formatEndpoint, readEndpoints } from '../address/endpoint.js'
import type { ReaderImpl } from '../codec/reader-impl.js'
import { closeError } from '../connection/close-error.js'
import { MillraceError } from '../errors.js'
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
import {
  DATAGRAM_BYTES,
  DATAGRAM_FLAGS,
  KIND_ASK,
  KIND_END,
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
import { DatagramInfoImpl } from './datagram-info.js'
import type { DatagramSocketImpl } from './datagram-socket-impl.js'
import type { DatagramSocketOptions } from './options.js'

/** Bytes that each waiting datagram counts for beside its own. The loop counts the same. */
const COST = 64
/** What the native half returns if the loop has no such socket. */
const GONE = -1
const LOST = { errno: GONE, value: 0 } as const
const OPTIONS = [
  ['receiveBuffer', OPTION_RECEIVE_BUFFER],
  ['sendBuffer', OPTION_SEND_BUFFER],
  ['dscp', OPTION_DSCP],
] as const

/** See the file header. */
export class LoopSocket implements Origin, LoopDatagrams {
  readonly loop: Loop
  /** Names the socket in records, until it has a slot. */
  readonly origin: number
  slot = -1
  generation = -1
  isOpen = false
  /** Whether `send` returned `false` here and `drain` did not follow yet. */
  isAsked = false
  readonly #socket: DatagramSocketImpl
  /** Its place among the socket's loops. */
  readonly #index: number
  /** Names the socket in calls of the native half. */
  readonly #number: number
  readonly #opened: Deferred<void> = deferred()
  /** Bytes given to the loop, with the cost of each datagram; and how much of that the kernel has taken. */
  #written = 0
  #done = 0
  /** The counts at its end. */
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
    this.loop = loop
    this.origin = origin
    this.#number = number
  }

  /** Hands the socket to its loop. Resolves once the loop has it. */
  open(): Promise<void> {
    this.loop.environment.origins.set(this.origin, this)
    try {
      openDatagrams(this.#handle, this.loop.index, this.#number)
    } catch (error) {
      this.#closed(nativeError(error))
    }
    return this.#opened.promise
  }

  /** Whether it is open, or about to be. */
  get isAlive(): boolean {
    return this.#counts === undefined
  }

  get #handle(): number {
    return this.loop.environment.handle
  }

  // ---- what its loop calls ----

  onOpen(loop: Loop, slot: number, generation: number, view: DataView, at: number): void {
    const [, local] = readEndpoints(view, at)
    this.#socket.boundTo(formatEndpoint(local.ip, local.port))
    this.slot = slot
    this.generation = generation
    this.isOpen = true
    loop.sockets[slot - SLOT_DATAGRAMS] = this
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
        `event loop ${loop.index} has panicked, and its sockets are lost`,
      ),
    )
  }

  closedByLoop(reason: number): void {
    this.#closed(closeError(reason, 0))
  }

  receive(reader: ReaderImpl, memory: Buffer, words: Int32Array, at: number, end: number): void {
    const isTruncated = words[(at + DATAGRAM_FLAGS) >> 2] !== 0
    const from = new DatagramInfoImpl(words, at >> 2, isTruncated, this.#index)
    this.#socket.receive(reader, memory, at + DATAGRAM_BYTES, end, from)
  }

  failedByLoop(words: Int32Array, at: number): void {
    const errno = words[(at + TROUBLE_ERRNO) >> 2] as number
    const isReceiving = words[(at + TROUBLE_RECEIVING) >> 2] !== 0
    const count = (words[(at + TROUBLE_COUNT) >> 2] as number) >>> 0
    this.#socket.report(systemError(errno, isReceiving ? 'recv' : 'send', { count }))
  }

  drainedByLoop(): void {
    if (!this.isAsked || !this.isOpen) return
    // The answer does not cover what was sent after the question.
    if (this.#waiting() > this.#socket.settings.highWaterMark / 2) {
      this.control(KIND_ASK)
      return
    }
    this.isAsked = false
    this.#socket.drained()
  }

  #closed(error: Error | undefined): void {
    if (this.#counts !== undefined) return
    this.isOpen = false
    // Whoever waits for `drain` waits for the other loops now.
    const wasAsked = this.isAsked
    this.isAsked = false
    this.#counts = datagramCounts(this.#handle, this.#number)
    dropDatagrams(this.#handle, this.#number)
    this.loop.environment.origins.delete(this.origin)
    if (error === undefined) this.#opened.resolve()
    else this.#opened.reject(error)
    this.#socket.loopSocketClosed(this, error, wasAsked)
  }

  // ---- what its socket calls ----

  /**
   * Sends a message.
   *
   * @returns false if too many bytes wait
   */
  send(to: DatagramInfoImpl, message: unknown, max: number): boolean {
    const { settings } = this.#socket
    if (this.#written - this.#done > settings.maxWriteBuffer && this.#isFull()) return false
    const length = this.loop.outbound.datagram(this, to, settings.codec, message, max)
    // In a statement of its own, because `encode` may send too.
    this.#written += length + COST
    this.loop.wrote()
    if (this.#written - this.#done <= settings.highWaterMark && !this.isAsked) return true
    return this.#isUnderMark()
  }

  /** Tells whether the datagram has to be dropped, by what the kernel has really taken. */
  #isFull(): boolean {
    if (this.#waiting() <= this.#socket.settings.maxWriteBuffer) return false
    this.#socket.discarded++
    return true
  }

  #isUnderMark(): boolean {
    if (this.isAsked) return false
    if (this.#waiting() <= this.#socket.settings.highWaterMark) return true
    this.isAsked = true
    this.control(KIND_ASK)
    return false
  }

  /** Returns how many bytes wait, by what the kernel has really taken. */
  #waiting(): number {
    this.#done = datagramsDone(this.#handle, this.#number)
    return this.#written - this.#done
  }

  /** Sends a record without a payload. */
  control(kind: number): void {
    this.loop.outbound.control(kind, this)
    this.loop.wrote()
  }

  /** Sends what was sent before, and closes. */
  end(): void {
    if (this.isOpen) this.control(KIND_END)
  }

  /**
   * Sets an option.
   *
   * @returns false if the loop has no such socket any more
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
   * @returns undefined if the loop has no such socket any more
   * @throws the system's error
   */
  options(): DatagramSocketOptions | undefined {
    const options: DatagramSocketOptions = {}
    for (const [name, option] of OPTIONS) {
      if (!hasSocketOption(option)) continue
      const { errno, value } = this.isOpen ? getDatagrams(this.#handle, this.#number, option) : LOST
      if (errno === GONE) return undefined
      if (errno !== 0) throw systemError(errno, 'getsockopt')
      options[name] = value
    }
    return options
  }

  counts(): DatagramCounts {
    return this.#counts ?? datagramCounts(this.#handle, this.#number)
  }
}
