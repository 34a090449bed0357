/** One event loop as JavaScript sees it: its two rings, and its connections and sockets by slot. */

import { attach, ReaderImpl } from '../codec/reader-impl.js'
import { toError } from '../errors.js'
import {
  control,
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
  KIND_TIMEOUT,
  KIND_TROUBLE,
  NEWS_ERRNO,
  NEWS_NUMBER,
  NEWS_VALUE,
  OPEN_LISTENER,
  SKIP,
  SLOT_DATAGRAMS,
} from '../native/record.js'
import { legible } from '../util/error-reporter.js'
import type { Scope } from '../util/scope.js'
import type { Budget } from './budget.js'
import type { Environment } from './environment.js'
import type { Group } from './group.js'
import { Outbound } from './outbound.js'
import type { LoopConn, LoopDatagrams } from './record-handlers.js'

/** Once this many bytes are written the loop is shown them, so that it can begin before a batch ends. */
const BATCH = 64 * 1024

/** An event loop of this JavaScript environment. */
export class Loop {
  readonly environment: Environment
  readonly group: Group
  /** Its number in the environment, which users see as `conn.loop`. */
  readonly index: number
  readonly outbound: Outbound
  /** Its connections by slot. */
  readonly conns: (LoopConn | undefined)[] = []
  /** Its datagram sockets by slot, counted from `SLOT_DATAGRAMS`. */
  readonly sockets: (LoopDatagrams | undefined)[] = []
  /** The number of its datagram sockets. */
  socketCount = 0
  /** Whether the loop has panicked. */
  isLost = false
  /** Whether its group has stopped. */
  isStopped = false
  /** Where its control words begin. */
  readonly #words: number
  readonly #memory: Buffer
  readonly #ints: Int32Array
  readonly #view: DataView
  readonly #capacity: number
  readonly #reader = new ReaderImpl()
  /** Up to here the inbound ring has been read. */
  #head = 0
  /** Behind the record that is being processed. */
  #next = 0
  /** Who has to take the next record, if it is not in the scope of those before it. */
  nextScope: Scope | undefined

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
    this.outbound = new Outbound(outbound, environment.delivery)
    this.#words = wordsOf(index)
    this.#memory = Buffer.from(inbound)
    this.#ints = new Int32Array(inbound)
    this.#view = new DataView(inbound)
    this.#capacity = inbound.byteLength
    attach(this.#reader, this.#memory, this.#view, false)
  }

  /** The size of each of its rings in bytes. */
  get ringBytes(): number {
    return this.#capacity
  }

  /** Writes our positions into the control words, for `commit`. */
  present(): void {
    control[this.#words + IN_HEAD] = this.#head
    control[this.#words + WAITS] = this.outbound.isBlocked ? 1 : 0
    // Inside `encode` the ring's last record may still grow, so the loop must not see it yet.
    if (this.outbound.isWriting) return
    control[this.#words + OUT_TAIL] = this.outbound.tail
    this.outbound.shown()
  }

  /**
   * Reads the loop's positions from the control words, after `poll` or `commit`.
   *
   * @returns whether another commit is needed: queued records have gone out, or still wait for room
   */
  refresh(): boolean {
    const { tail } = this.outbound
    this.outbound.taken(control[this.#words + OUT_HEAD] as number)
    if (control[this.#words + DEAD] === 1) this.isLost = true
    return this.outbound.tail !== tail || this.outbound.isBlocked
  }

  /** Schedules a commit after a write, or commits at once if much was written. */
  wrote(): void {
    const { outbound } = this
    // Inside `encode` the message is not complete yet.
    if (outbound.unshown >= BATCH && !outbound.isWriting) this.environment.pump.commitNow()
    else this.environment.pump.commitSoon()
  }

  /** Whether there are records that may be taken. */
  get hasRecords(): boolean {
    const tail = control[this.#words + IN_TAIL] as number
    return this.#head !== tail
  }

  /**
   * Processes the records in the inbound ring until the budget is used up, or until one of another scope comes: that
   * is in `nextScope` then.
   *
   * @param scope is where this runs
   * @returns whether records are left because the budget is used up
   */
  takeRecords(budget: Budget, scope: Scope): boolean {
    this.nextScope = undefined
    for (;;) {
      try {
        return this.#takeRecords(budget, scope)
      } catch (thrown) {
        this.#recordFailed(thrown)
      }
    }
  }

  #takeRecords(budget: Budget, scope: Scope): boolean {
    const ints = this.#ints
    const mask = this.#capacity - 1
    const tail = control[this.#words + IN_TAIL] as number
    let head = this.#head
    while (head !== tail) {
      if (!budget.take()) return true
      let at = head & mask
      if (ints[at >> 2] === SKIP) {
        head = (head + this.#capacity - at) | 0
        at = 0
      }
      const word = at >> 2
      const length = ints[word + 3] as number
      const slot = ints[word] as number
      const generation = ints[word + 1] as number
      this.#next = (head + HEADER + ((length + 7) & ~7)) | 0
      const kind = ints[word + 2] as number
      const other = this.#record(scope, kind, slot, generation, at + HEADER, length)
      if (other !== undefined) {
        this.nextScope = other
        return false
      }
      head = this.#next
      this.#head = head
    }
    return false
  }

  /** A record could not be processed. Those behind it are. */
  #recordFailed(thrown: unknown): void {
    const mask = this.#capacity - 1
    const at = this.#ints[(this.#head & mask) >> 2] === SKIP ? 0 : this.#head & mask
    const slot = this.#ints[at >> 2] as number
    const generation = this.#ints[(at >> 2) + 1] as number
    this.#head = this.#next
    const isDatagrams = slot >= SLOT_DATAGRAMS
    const target = isDatagrams ? this.sockets[slot - SLOT_DATAGRAMS] : this.conns[slot]
    try {
      if (target?.generation === generation) target.failed(thrown)
      else process.emitWarning(legible(toError(thrown)))
    } catch (again) {
      process.emitWarning(legible(toError(again)))
    }
  }

  /** Processes a record if that is to be done in this scope. Returns the right one otherwise. */
  #record(
    scope: Scope,
    kind: number,
    slot: number,
    generation: number,
    at: number,
    length: number,
  ): Scope | undefined {
    if (kind === KIND_OPEN) return this.#open(scope, slot, generation, at)
    if (
      kind === KIND_CONNECT_FAILED ||
      kind === KIND_LISTENER_CLOSED ||
      kind === KIND_ACCEPT_ERROR
    ) {
      return this.#news(scope, kind, at)
    }
    if (kind === KIND_ANSWER) {
      this.#answer(at)
      return
    }
    if (slot >= SLOT_DATAGRAMS) {
      const socket = this.sockets[slot - SLOT_DATAGRAMS]
      if (socket === undefined || socket.generation !== generation) return
      if (socket.scope !== scope) return socket.scope
      this.environment.delivery.current = socket
      this.#socketRecord(socket, kind, slot - SLOT_DATAGRAMS, at, length)
      return
    }
    const conn = this.conns[slot]
    if (conn === undefined || conn.generation !== generation) return
    if (conn.scope !== scope) return conn.scope
    this.environment.delivery.current = conn
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
      case KIND_TIMEOUT:
        conn.timedOut(this.#ints[at >> 2] as number)
        return
      case KIND_DRAIN:
        conn.drainedByLoop()
        return
      case KIND_FLUSHED:
        conn.flushedByLoop()
        return
      case KIND_CLOSE:
        this.conns[slot] = undefined
        conn.closedByLoop(this.#view, at)
    }
  }

  #socketRecord(
    socket: LoopDatagrams,
    kind: number,
    slot: number,
    at: number,
    length: number,
  ): void {
    switch (kind) {
      case KIND_DATAGRAM:
        socket.receive(this.#reader, this.#memory, this.#ints, at, at + length)
        return
      case KIND_TROUBLE:
        socket.failedByLoop(this.#ints, at)
        return
      case KIND_DRAIN:
        socket.drainedByLoop()
        return
      case KIND_CLOSE:
        this.sockets[slot] = undefined
        this.socketCount--
        socket.closedByLoop(this.#view.getUint32(at, true))
    }
  }

  #open(scope: Scope, slot: number, generation: number, at: number): Scope | undefined {
    const number = (this.#ints[(at + OPEN_LISTENER) >> 2] as number) >>> 0
    const origin = this.environment.origins.get(number)
    if (origin !== undefined && origin.scope !== scope) return origin.scope
    this.environment.delivery.current = undefined
    origin?.onOpen(this, slot, generation, this.#view, at)
    return
  }

  #news(scope: Scope, kind: number, at: number): Scope | undefined {
    const number = (this.#ints[(at + NEWS_NUMBER) >> 2] as number) >>> 0
    const errno = this.#ints[(at + NEWS_ERRNO) >> 2] as number
    const origin = this.environment.origins.get(number)
    if (origin !== undefined && origin.scope !== scope) return origin.scope
    this.environment.delivery.current = undefined
    origin?.onNews(kind, this, errno)
    return
  }

  #answer(at: number): void {
    const ticket = (this.#ints[(at + NEWS_NUMBER) >> 2] as number) >>> 0
    const errno = this.#ints[(at + NEWS_ERRNO) >> 2] as number
    const value = (this.#ints[(at + NEWS_VALUE) >> 2] as number) >>> 0
    this.environment.questions.answered(ticket, { errno, value })
  }

  /** Closes the connections of the loop, which has panicked. */
  bury(): void {
    const conns = [...this.conns]
    // Before their `close` handlers, which must not find closed connections here.
    this.conns.length = 0
    this.sockets.length = 0
    this.outbound.drop()
    this.socketCount = 0
    for (const conn of conns) conn?.scope.runInAsyncScope(conn.lost, conn)
  }
}
