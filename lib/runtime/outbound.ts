/** The way out to one loop: encodes messages into its ring, or queues them until there is room. */

import { type Encoder, encodeBody, writeFrame } from '../codec/encode.js'
import type { Framing } from '../codec/framing.js'
import { memoryOf, WriterImpl } from '../codec/writer-impl.js'
import { MillraceError } from '../errors.js'
import { KIND_DESTROY, KIND_RESET } from '../native/record.js'
import type { Delivery } from './delivery.js'
import { OutboundQueue } from './outbound-queue.js'
import type { SlotHandle } from './record-handlers.js'
import { RingWriter } from './ring-writer.js'

/** Where a datagram goes. */
export interface DatagramDestination {
  /** Writes the address, or addresses, in front of the datagram: what the kind of record asks for. */
  write(to: WriterImpl, kind: number): void
}

/** Sends records to a loop, in order. */
export class Outbound {
  readonly #ring: RingWriter
  readonly #writer = new WriterImpl()
  readonly #queue = new OutboundQueue()
  /** Records made inside an `encode`, whose own message has begun in the ring and goes first. */
  readonly #nested = new OutboundQueue()

  /** Who causes what is written. */
  readonly #delivery: Delivery

  constructor(ring: ArrayBuffer, delivery: Delivery) {
    this.#ring = new RingWriter(ring)
    this.#delivery = delivery
  }

  /** Whether records are queued for room. */
  get isBlocked(): boolean {
    return !this.#queue.isEmpty
  }

  /** Whether an `encode` is writing. */
  get isWriting(): boolean {
    return this.#writer.isBusy
  }

  /** Where the next record goes in the ring. */
  get tail(): number {
    return this.#ring.tail
  }

  /** Bytes in the ring that the loop cannot see yet. */
  get unshown(): number {
    return this.#ring.unshown
  }

  /** Says that the loop can see everything now. */
  shown(): void {
    this.#ring.shown()
  }

  /** Says that the loop has taken everything up to `head`, which makes room for queued records. */
  taken(head: number): void {
    this.#ring.taken(head)
    if (this.isBlocked) this.#move()
  }

  /**
   * Encodes a message and sends its frame.
   *
   * @param kind is `KIND_WRITE` or `KIND_PUSH`
   * @returns the number of bytes of the frame
   */
  write<Out>(
    kind: number,
    handle: SlotHandle,
    codec: Encoder<Out>,
    framing: Framing,
    message: Out,
  ): number {
    const writer = this.#writer
    if (writer.isBusy) return this.#writeNested(kind, handle, codec, framing, message)
    const start = this.holdsBack(handle) ? undefined : this.#ring.beginWrite(kind, handle, writer)
    if (start === undefined) writer.toScratch()
    writer.isBusy = true
    try {
      writeFrame(codec, framing, message, writer)
      writer.isBusy = false
      const length = writer.pos - writer.start
      if (writer.inPlace && start !== undefined) {
        this.#ring.endWrite(start, kind, handle, writer)
      } else {
        this.#send(kind, handle, memoryOf(writer).subarray(writer.start, writer.pos))
      }
      return length
    } finally {
      // After a throw the ring is as before, since the record has no header yet.
      writer.isBusy = false
      writer.close()
      // After a refused message too: its scratch buffer may be large.
      writer.releaseScratch()
      if (!this.#nested.isEmpty) this.#sendNested()
    }
  }

  /** Encodes a message inside an `encode`: what that one has begun in the ring must not be touched. */
  #writeNested<Out>(
    kind: number,
    handle: SlotHandle,
    codec: Encoder<Out>,
    framing: Framing,
    message: Out,
  ): number {
    const writer = new WriterImpl()
    writer.toScratch()
    try {
      writeFrame(codec, framing, message, writer)
    } finally {
      writer.close()
    }
    const bytes = memoryOf(writer).subarray(writer.start, writer.pos)
    this.#nested.push(kind, handle, bytes, this.#delivery.current)
    return bytes.length
  }

  /**
   * Encodes and sends a datagram, which is one record and never several.
   *
   * @param kind `SEND` or `SEND_FROM`
   * @param max the largest datagram in bytes
   * @returns the number of bytes of the datagram
   * @throws `ERR_FRAME_TOO_LARGE` over `max`
   */
  datagram<Out>(
    kind: number,
    handle: SlotHandle,
    to: DatagramDestination,
    codec: Encoder<Out>,
    message: Out,
    max: number,
  ): number {
    const isNested = this.isWriting
    const writer = isNested ? new WriterImpl() : this.#writer
    const start = isNested || this.holdsBack(handle) ? undefined : this.#ring.beginRecord(writer)
    if (start === undefined) writer.toScratch()
    writer.isBusy = true
    try {
      to.write(writer, kind)
      writer.body = writer.pos
      encodeBody(codec, message, writer)
      writer.isBusy = false
      const { length } = writer
      if (length > max) {
        throw new MillraceError(
          'ERR_FRAME_TOO_LARGE',
          `a datagram of ${length} bytes is over the most that can be sent (${max})`,
        )
      }
      if (writer.inPlace && start !== undefined) {
        this.#ring.endRecord(start, kind, handle, writer)
      } else {
        const bytes = memoryOf(writer).subarray(writer.start, writer.pos)
        if (isNested || this.holdsBack(handle) || !this.#ring.push(kind, handle, bytes))
          this.#enqueue(kind, handle, bytes, this.#delivery.current)
      }
      return length
    } finally {
      writer.isBusy = false
      writer.close()
      writer.releaseScratch()
      if (!isNested && !this.#nested.isEmpty) this.#sendNested()
    }
  }

  /** Sends bytes that are encoded already. */
  bytes(kind: number, handle: SlotHandle, bytes: Buffer): void {
    if (this.isWriting) this.#enqueue(kind, handle, bytes, this.#delivery.current)
    else this.#send(kind, handle, bytes)
  }

  /**
   * Sends a record that carries no data.
   *
   * @param other is somebody whose records before this one have to go out before it, and those after it behind it
   */
  control(kind: number, handle: SlotHandle, payload?: Buffer, other?: SlotHandle): void {
    if (kind === KIND_DESTROY || kind === KIND_RESET) this.forget(handle)
    const isHeld = this.holdsBack(handle) || (other !== undefined && this.holdsBack(other))
    if (this.isWriting || isHeld || !this.#ring.push(kind, handle, payload)) {
      this.#enqueue(kind, handle, payload, other)
    }
  }

  /** Drops what is queued of somebody who sends nothing more. */
  forget(handle: SlotHandle): void {
    this.#nested.remove(handle)
    if (!this.isBlocked) return
    this.#queue.remove(handle)
    // What it leaves may be all that there is, and nobody would look at it again.
    this.#move()
  }

  /** The loop has gone: drops everything that is queued. */
  drop(): void {
    this.#nested.drop()
    this.#queue.drop()
  }

  /** Whether somebody is held back: it has records here, behind which its next one has to wait, or has caused some. */
  holdsBack(handle: SlotHandle): boolean {
    return this.isBlocked && this.#queue.has(handle)
  }

  /** Sends bytes in as many records as it takes, and queues what finds no room. */
  #send(kind: number, handle: SlotHandle, bytes: Buffer): void {
    let from = 0
    if (!this.holdsBack(handle)) {
      while (from < bytes.length) {
        const part = bytes.subarray(from, from + this.#ring.largest)
        if (!this.#ring.push(kind, handle, part)) break
        from += part.length
      }
    }
    if (from < bytes.length) {
      this.#enqueue(kind, handle, bytes.subarray(from), this.#delivery.current)
    }
  }

  #enqueue(
    kind: number,
    handle: SlotHandle,
    bytes: Buffer | undefined,
    other: SlotHandle | undefined,
  ): void {
    const queue = this.isWriting ? this.#nested : this.#queue
    queue.push(kind, handle, bytes, other)
  }

  /** Sends what was written inside an `encode`, after the message that it interrupted. */
  #sendNested(): void {
    this.#queue.append(this.#nested)
    this.#move()
  }

  #move(): void {
    if (!this.isWriting) this.#queue.moveInto(this.#ring)
  }
}
