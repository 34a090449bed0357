/** What a datagram socket has on one loop: a system's socket of its own, and what waits there. */

import { formatEndpoint, readEndpoints } from '../address/endpoint.js'
import type { FrameReader } from '../codec/reader.js'
import { closeError, nativeError, systemError } from '../connection/close-error.js'
import { type Deferred, deferred } from '../connection/cold-state.js'
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
import type { Loop } from '../runtime/loop.js'
import type { Origin } from '../runtime/origin.js'
import type { Handle } from '../runtime/outbound.js'
import { DatagramInfoImpl } from './datagram-info.js'
import type { DatagramSocketImpl } from './datagram-socket-impl.js'
import type { DatagramSocketOptions } from './options.js'

/** What a datagram that waits counts for beside its bytes: the loop counts the same. */
const COST = 64
/** The loop has no such socket any more. */
const GONE = -1
const LOST = { errno: GONE, value: 0 } as const
const OPTIONS = [
  ['receiveBuffer', OPTION_RECEIVE_BUFFER],
  ['sendBuffer', OPTION_SEND_BUFFER],
  ['dscp', OPTION_DSCP],
] as const

export class LoopSocket implements Origin, Handle {
  readonly loop: Loop
  /** By which its loop names it before it has a slot. */
  readonly source: number
  slot = -1
  generation = -1
  isOpen = false
  /** It said `false`, and has not said `drain`. */
  isAsked = false
  readonly #socket: DatagramSocketImpl
  readonly #index: number
  /** Its number in the native half. */
  readonly #number: number
  readonly #opened: Deferred<void> = deferred()
  /** Bytes given to the loop, and the cost of each datagram; and how much of that is done with. */
  #written = 0
  #done = 0
  /** As they were when it closed. */
  #counts: DatagramCounts | undefined

  constructor(
    socket: DatagramSocketImpl,
    index: number,
    loop: Loop,
    source: number,
    number: number,
  ) {
    this.#socket = socket
    this.#index = index
    this.loop = loop
    this.source = source
    this.#number = number
  }

  /** Gives it to its loop; resolves once that has it. */
  open(): Promise<void> {
    this.loop.environment.sources.set(this.source, this)
    try {
      openDatagrams(this.#handle, this.loop.index, this.#number)
    } catch (error) {
      this.#closed(nativeError(error))
    }
    return this.#opened.promise
  }

  /** Open, or about to be. */
  get isAlive(): boolean {
    return this.#counts === undefined
  }

  get #handle(): number {
    return this.loop.environment.handle
  }

  // ---- what its loop tells ----

  opens(loop: Loop, slot: number, generation: number, view: DataView, at: number): void {
    const [, local] = readEndpoints(view, at)
    this.#socket.boundTo(formatEndpoint(local.ip, local.port))
    this.slot = slot
    this.generation = generation
    this.isOpen = true
    loop.sockets[slot - SLOT_DATAGRAMS] = this
    this.#opened.resolve()
  }

  /** Its loop cannot have it. */
  told(_kind: number, _loop: Loop, errno: number): void {
    this.#closed(systemError(errno, 'bind'))
  }

  lost(loop: Loop): void {
    if (loop !== this.loop) return
    this.#closed(
      new MillraceError('ERR_LOOP_PANIC', `event loop ${loop.index} was lost with its sockets`),
    )
  }

  closedByLoop(reason: number): void {
    this.#closed(closeError(reason, 0))
  }

  receive(reader: FrameReader, memory: Buffer, words: Int32Array, at: number, end: number): void {
    const isTruncated = words[(at + DATAGRAM_FLAGS) >> 2] !== 0
    const from = new DatagramInfoImpl(words, at >> 2, isTruncated, this.#index)
    this.#socket.receive(reader, memory, at + DATAGRAM_BYTES, end, from)
  }

  troubled(words: Int32Array, at: number): void {
    const errno = words[(at + TROUBLE_ERRNO) >> 2] as number
    const isReceiving = words[(at + TROUBLE_RECEIVING) >> 2] !== 0
    const count = (words[(at + TROUBLE_COUNT) >> 2] as number) >>> 0
    this.#socket.report(systemError(errno, isReceiving ? 'recv' : 'send', { count }))
  }

  drainedByLoop(): void {
    if (!this.isAsked || !this.isOpen) return
    // What was sent after the question is not in the answer.
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
    // Who waits for it to drain waits for the other loops now.
    const wasAsked = this.isAsked
    this.isAsked = false
    this.#counts = datagramCounts(this.#handle, this.#number)
    dropDatagrams(this.#handle, this.#number)
    this.loop.environment.sources.delete(this.source)
    if (error === undefined) this.#opened.resolve()
    else this.#opened.reject(error)
    this.#socket.laneClosed(this, error, wasAsked)
  }

  // ---- what its socket asks ----

  /**
   * Sends a message.
   *
   * @returns false if too much waits
   */
  send(to: DatagramInfoImpl, message: unknown, max: number): boolean {
    const { settings } = this.#socket
    if (this.#written - this.#done > settings.maxWriteBuffer && this.#isFull()) return false
    const length = this.loop.outbound.datagram(this, to, settings.codec, message, max)
    // Not in one expression: `encode` may send too.
    this.#written += length + COST
    this.loop.wrote()
    if (this.#written - this.#done <= settings.highWaterMark && !this.isAsked) return true
    return this.#isUnderMark()
  }

  /** No room for more, by what the kernel has really taken: the datagram is dropped. */
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

  /** What waits, brought up to date. */
  #waiting(): number {
    this.#done = datagramsDone(this.#handle, this.#number)
    return this.#written - this.#done
  }

  control(kind: number): void {
    this.loop.outbound.control(kind, this)
    this.loop.wrote()
  }

  end(): void {
    if (this.isOpen) this.control(KIND_END)
  }

  /**
   * Sets an option.
   *
   * @returns false if its loop has it no more
   * @throws the system's error
   */
  set(setting: SettingInit): boolean {
    const errno = this.isOpen ? setDatagrams(this.#handle, this.#number, setting) : GONE
    if (errno > 0) throw systemError(errno, 'setsockopt')
    return errno !== GONE
  }

  /**
   * What the kernel has; nothing if its loop has it no more.
   *
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
