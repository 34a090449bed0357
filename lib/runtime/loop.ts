/** One event loop as JavaScript sees it: the two rings, and the connections by slot. */

import { FrameReader } from '../codec/reader.js'
import type { ConnImpl } from '../connection/conn-impl.js'
import type { LoopSocket } from '../datagram/loop-socket.js'
import {
  DEAD,
  IN_HEAD,
  IN_TAIL,
  OUT_HEAD,
  OUT_TAIL,
  WAITS,
  wordsOf,
} from '../native/control-words.js'
import {
  HEADER,
  KIND_ACCEPT_ERROR,
  KIND_ANSWER,
  KIND_CLOSE,
  KIND_CONNECT_FAILED,
  KIND_DATA,
  KIND_DATAGRAM,
  KIND_DRAIN,
  KIND_EOF,
  KIND_FLUSHED,
  KIND_LISTENER_CLOSED,
  KIND_OPEN,
  KIND_PART,
  KIND_PART_FIRST,
  KIND_TROUBLE,
  NEWS_ERRNO,
  NEWS_NUMBER,
  NEWS_VALUE,
  OPEN_LISTENER,
  SKIP,
  SLOT_DATAGRAMS,
} from '../native/record.js'
import type { Budget } from './budget.js'
import type { Environment } from './environment.js'
import type { Group } from './group.js'
import { Outbound } from './outbound.js'

/** Shown to the loop no later than this, so that it can begin while a batch goes on. */
const BATCH = 64 * 1024

export class Loop {
  readonly environment: Environment
  readonly group: Group
  /** Its number in the environment. */
  readonly index: number
  readonly outbound: Outbound
  /** Its connections by slot. */
  readonly slots: (ConnImpl | undefined)[] = []
  /** Its datagram sockets by slot, counted from the first of these. */
  readonly sockets: (LoopSocket | undefined)[] = []
  /** It has panicked. */
  isDead = false
  /** Its group has stopped. */
  isStopped = false
  readonly #words: number
  readonly #memory: Buffer
  readonly #ints: Int32Array
  readonly #view: DataView
  readonly #capacity: number
  readonly #reader = new FrameReader()
  /** Everything before it is done with. */
  #head = 0

  constructor(
    environment: Environment,
    group: Group,
    index: number,
    inbound: ArrayBuffer,
    outbound: ArrayBuffer,
  ) {
    this.environment = environment
    this.group = group
    this.index = index
    this.outbound = new Outbound(outbound)
    this.#words = wordsOf(index)
    this.#memory = Buffer.from(inbound)
    this.#ints = new Int32Array(inbound)
    this.#view = new DataView(inbound)
    this.#capacity = inbound.byteLength
    this.#reader.attach(this.#memory, this.#view, false, this.#ints)
  }

  /** Bytes of each of its rings. */
  get ringBytes(): number {
    return this.#capacity
  }

  /** Writes our positions for `commit`. */
  present(): void {
    const { control } = this.environment
    control[this.#words + IN_HEAD] = this.#head
    control[this.#words + WAITS] = this.outbound.isBlocked ? 1 : 0
    // A commit inside `encode`, for another loop: the record that it may be growing stays ours.
    if (this.outbound.isWriting) return
    control[this.#words + OUT_TAIL] = this.outbound.tail
    this.outbound.shown()
  }

  /**
   * Reads the loop's positions after `poll` or `commit`.
   *
   * @returns whether there is reason to commit again: something went out that waited, or still waits
   */
  refresh(): boolean {
    const { control } = this.environment
    const { tail } = this.outbound
    this.outbound.taken(control[this.#words + OUT_HEAD] as number)
    if (control[this.#words + DEAD] === 1) this.isDead = true
    return this.outbound.tail !== tail || this.outbound.isBlocked
  }

  /** A write grew the ring: shows it to the loop if there is much of it. */
  wrote(): void {
    const { outbound } = this
    // Not inside `encode`, whose message is not complete.
    if (outbound.unshown >= BATCH && !outbound.isWriting) this.environment.commitNow()
    else this.environment.commitSoon()
  }

  /**
   * Takes the records that there are, within the budget. Stops early while something waits for room
   * on the way out: the loop then stops reading, and TCP holds the peers back.
   *
   * @returns whether records are left because the budget is used up
   */
  drain(budget: Budget): boolean {
    const ints = this.#ints
    const mask = this.#capacity - 1
    const tail = this.environment.control[this.#words + IN_TAIL] as number
    let head = this.#head
    if (head !== tail) this.#reader.batch(this.#batchEnd(head, tail))
    while (head !== tail && !this.outbound.isBlocked) {
      if (!budget.take()) return true
      let at = head & mask
      if (ints[at >> 2] === SKIP) {
        head = (head + this.#capacity - at) | 0
        at = 0
      }
      if (at === 0) this.#reader.batch(this.#batchEnd(head, tail))
      const word = at >> 2
      const length = ints[word + 3] as number
      const slot = ints[word] as number
      const generation = ints[word + 1] as number
      this.#record(ints[word + 2] as number, slot, generation, at + HEADER, length)
      head = (head + HEADER + ((length + 7) & ~7)) | 0
      this.#head = head
    }
    return false
  }

  /** Up to where records stand without a gap from `head` on. */
  #batchEnd(head: number, tail: number): number {
    const at = head & (this.#capacity - 1)
    return Math.min(at + ((tail - head) >>> 0), this.#capacity)
  }

  #record(kind: number, slot: number, generation: number, at: number, length: number): void {
    if (kind === KIND_OPEN) {
      this.#open(slot, generation, at)
      return
    }
    if (
      kind === KIND_CONNECT_FAILED ||
      kind === KIND_LISTENER_CLOSED ||
      kind === KIND_ACCEPT_ERROR
    ) {
      this.#news(kind, at)
      return
    }
    if (kind === KIND_ANSWER) {
      this.#answer(at)
      return
    }
    if (slot >= SLOT_DATAGRAMS) {
      this.#forSocket(kind, slot - SLOT_DATAGRAMS, generation, at, length)
      return
    }
    const conn = this.slots[slot]
    if (conn === undefined || conn.generation !== generation) return
    switch (kind) {
      case KIND_DATA:
        conn.receive(this.#reader, this.#memory, at, at + length)
        return
      case KIND_PART_FIRST:
        conn.beginFrame(this.#ints[at >> 2] as number)
        conn.addToFrame(this.#memory, at + 8, at + length)
        return
      case KIND_PART:
        conn.addToFrame(this.#memory, at, at + length)
        return
      case KIND_EOF:
        conn.inputEnded(this.#ints[at >> 2] as number)
        return
      case KIND_DRAIN:
        conn.drainedByLoop()
        return
      case KIND_FLUSHED:
        conn.flushedByLoop()
        return
      case KIND_CLOSE:
        this.slots[slot] = undefined
        conn.closedByLoop(this.#view, at)
    }
  }

  #forSocket(kind: number, slot: number, generation: number, at: number, length: number): void {
    const lane = this.sockets[slot]
    if (lane === undefined || lane.generation !== generation) return
    switch (kind) {
      case KIND_DATAGRAM:
        lane.receive(this.#reader, this.#memory, this.#ints, at, at + length)
        return
      case KIND_TROUBLE:
        lane.troubled(this.#ints, at)
        return
      case KIND_DRAIN:
        lane.drainedByLoop()
        return
      case KIND_CLOSE:
        this.sockets[slot] = undefined
        lane.closedByLoop(this.#view.getUint32(at, true))
    }
  }

  #open(slot: number, generation: number, at: number): void {
    const number = (this.#ints[(at + OPEN_LISTENER) >> 2] as number) >>> 0
    this.environment.sources.get(number)?.opens(this, slot, generation, this.#view, at)
  }

  #news(kind: number, at: number): void {
    const number = (this.#ints[(at + NEWS_NUMBER) >> 2] as number) >>> 0
    const errno = this.#ints[(at + NEWS_ERRNO) >> 2] as number
    this.environment.sources.get(number)?.told(kind, this, errno)
  }

  #answer(at: number): void {
    const ticket = (this.#ints[(at + NEWS_NUMBER) >> 2] as number) >>> 0
    const errno = this.#ints[(at + NEWS_ERRNO) >> 2] as number
    const value = (this.#ints[(at + NEWS_VALUE) >> 2] as number) >>> 0
    this.environment.questions.answered(ticket, { errno, value })
  }

  /** The loop is lost: so are its connections. */
  bury(): void {
    for (const conn of [...this.slots]) conn?.lost()
    this.slots.length = 0
    this.sockets.length = 0
  }
}
