/** What a loop calls for the records of its connections and datagram sockets. */

import type { ReaderImpl } from '../codec/reader-impl.js'
import type { Scope } from '../util/scope.js'

/** Names a connection or a datagram socket in records. */
export interface SlotHandle {
  readonly slot: number
  /** Tells apart those that had the same slot one after the other. */
  readonly generation: number
  /** Its output waits for room: what arrives is kept until `release`. Called again and again before that. */
  hold?(): void
  /** Its output waits no more. */
  release?(): void
}

/** A connection, as its loop sees it. */
export interface LoopConn extends SlotHandle {
  /** Where all of this is called. */
  readonly scope: Scope
  /** One frame, or a chunk of a raw stream: the bytes of `memory` from `at` to `end`. */
  receive(reader: ReaderImpl, memory: Buffer, at: number, end: number): void
  /** A large frame begins, which comes in parts. */
  beginFrame(length: number): void
  /** The next part of that frame. */
  addToFrame(memory: Buffer, at: number, end: number): void
  /** No more input follows. */
  inputEnded(reason: number): void
  /** A time has ended, and the loop asks whether it begins again. */
  timedOut(reason: number): void
  /** The loop answers that output has drained. */
  drainedByLoop(): void
  /** The loop answers that output is flushed. */
  flushedByLoop(): void
  /** The connection is closed: a payload of the kind `close` at `at`. */
  closedByLoop(view: DataView, at: number): void
  /** The loop has panicked. */
  lost(): void
  /** One of these functions has thrown, because memory is short, say. */
  failed(thrown: unknown): void
}

/** A datagram socket, as its loop sees it. */
export interface LoopDatagrams extends SlotHandle {
  /** Where all of this is called. */
  readonly scope: Scope
  /** A datagram: its header begins at `at`, and its bytes end at `end`. */
  receive(reader: ReaderImpl, memory: Buffer, words: Int32Array, at: number, end: number): void
  /** A system call has failed: a payload of the kind `trouble` at `at`. */
  failedByLoop(words: Int32Array, at: number): void
  /** The loop answers that output has drained. */
  drainedByLoop(): void
  /** The socket is closed. */
  closedByLoop(reason: number): void
  /** One of these functions has thrown, because memory is short, say. */
  failed(thrown: unknown): void
}
