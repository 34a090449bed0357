import test from 'ava'
import { encodeWith, line } from 'millrace'
import { ParkedInput } from '../lib/connection/parked-input.js'
import { NOWHERE } from '../lib/datagram/arrival.js'
import { DatagramInfoImpl } from '../lib/datagram/datagram-info.js'
import { ParkedDatagram, ParkedDatagrams } from '../lib/datagram/parked-datagrams.js'
import { OutboundQueue } from '../lib/runtime/outbound-queue.js'
import { QueueMemory, type Slab } from '../lib/runtime/queue-memory.js'
import type { SlotHandle } from '../lib/runtime/record-handlers.js'
import { RingWriter } from '../lib/runtime/ring-writer.js'
import { turns } from './support/turns.js'

const HANDLE: SlotHandle = { slot: 1, generation: 1 }
const FROM = new DatagramInfoImpl(new Int32Array(6), 0, false, NOWHERE)

/** Whether the garbage collector has taken an object that nothing should hold any more. */
async function isCollected(ref: WeakRef<object>): Promise<boolean> {
  for (let attempt = 0; attempt < 10 && ref.deref() !== undefined; attempt++) {
    // References from this turn have to go first.
    await turns(1)
    globalThis.gc?.()
  }
  return ref.deref() === undefined
}

test('input that waits, and is never all taken, keeps nothing that was', async (t) => {
  const parked = new ParkedInput(true)
  const piece = Buffer.alloc(1 << 16)
  for (let count = 0; count < 3; count++) parked.push(piece, 0, piece.length)
  parked.take()
  const first = new WeakRef(parked.memory)
  parked.take()
  t.is(parked.count, 1)
  t.is(parked.bytes, 1 << 16)
  t.true(await isCollected(first))
})

test('datagrams that wait, and are never all taken, keep nothing that was', async (t) => {
  const parked = new ParkedDatagrams()
  const push = () => {
    const item = new ParkedDatagram(Buffer.alloc(1 << 16), FROM)
    parked.push(item)
    return new WeakRef(item)
  }
  const first = push()
  push()
  parked.take()
  t.is(parked.count, 1)
  t.is(parked.bytes, 1 << 16)
  t.true(await isCollected(first))
})

test('input that was cut off goes in front of what waits', (t) => {
  const parked = new ParkedInput(true)
  const push = (text: string) => parked.push(Buffer.from(text), 0, text.length)
  const all = () => {
    const texts: string[] = []
    while (parked.take()) texts.push(parked.memory.toString('latin1', parked.at, parked.end))
    return texts
  }
  for (const text of ['a', 'b', 'c']) push(text)
  parked.take()
  parked.unshift(Buffer.from('0a'), 0, 1)
  t.deepEqual(all(), ['0', 'b', 'c'])
  t.deepEqual([parked.count, parked.bytes], [0, 0])
  // Small and large pieces, of which small ones share memory.
  const texts = [1, 600, 1_024, 1_025, 3, 9_000, 5].map((length) => 'x'.repeat(length))
  for (const text of texts) push(text)
  parked.unshift(Buffer.from('first'), 0, 5)
  t.deepEqual(all(), ['first', ...texts])
})

test('a queue of output that is never empty uses the memory of what has gone out again', (t) => {
  const queue = new OutboundQueue()
  const ring = new RingWriter(new ArrayBuffer(4096))
  const slabs = new Set<Slab>()
  const { keep } = QueueMemory.prototype
  QueueMemory.prototype.keep = function (bytes) {
    const slab = keep.call(this, bytes)
    slabs.add(slab)
    return slab
  }
  t.teardown(() => {
    QueueMemory.prototype.keep = keep
  })
  for (let count = 0; count < 10; count++) queue.push(2, HANDLE, Buffer.alloc(900))
  for (let count = 0; count < 10_000; count++) {
    queue.push(2, HANDLE, Buffer.alloc(900))
    ring.taken(ring.tail)
    queue.moveInto(ring)
    if (queue.isEmpty) queue.push(2, HANDLE, Buffer.alloc(900))
  }
  t.true(slabs.size > 0 && slabs.size <= 2, `${slabs.size} slabs`)
})

test('a long queue of output is not copied each time that some of it has gone out', (t) => {
  const count = 50_000
  const queue = new OutboundQueue()
  const ring = new RingWriter(new ArrayBuffer(1 << 16))
  for (let at = 0; at < count; at++) queue.push(2, HANDLE, Buffer.alloc(1))
  let copied = 0
  const { slice } = Array.prototype
  Array.prototype.slice = function (...range) {
    const copy = slice.apply(this, range)
    copied += copy.length
    return copy
  }
  try {
    while (!queue.isEmpty) {
      ring.taken(ring.tail)
      queue.moveInto(ring)
    }
  } finally {
    Array.prototype.slice = slice
  }
  t.true(copied < 2 * count, `${copied} records were copied`)
})

test('of the memory of a queue, no more than 1.25 MiB is kept for later', async (t) => {
  const memory = new QueueMemory()
  const sizes = [1 << 20, ...Array.from({ length: 100 }, () => 1 << 18)]
  const slabs = sizes.map((size) => memory.keep(Buffer.alloc(size)))
  for (const slab of slabs) memory.release(slab)
  const kept = slabs.map((slab) => new WeakRef(slab))
  slabs.length = 0
  const isGone = await Promise.all(kept.slice(0, -5).map(isCollected))
  // The first slabs that are released are kept.
  t.is(isGone.filter((each) => !each).length, 4)
})

test('bytes that wait are a copy, and those of different records do not mix', (t) => {
  const memory = new QueueMemory()
  const bytes = Buffer.alloc(100_000)
  const kept = Array.from({ length: 9 }, (_, at) => {
    const slab = memory.keep(bytes.fill(at))
    return [slab, slab.end - bytes.length, slab.end] as const
  })
  for (const [at, [slab, from, to]] of kept.entries()) {
    t.true(slab.memory.subarray(from, to).every((byte) => byte === at))
  }
})

test('a queue takes any number of records from another', (t) => {
  const [queue, other] = [new OutboundQueue(), new OutboundQueue()]
  for (let count = 0; count < 200_000; count++) other.push(1, HANDLE, undefined)
  queue.append(other)
  t.true(other.isEmpty)
  t.false(queue.isEmpty)
  queue.remove(HANDLE)
  queue.moveInto(new RingWriter(new ArrayBuffer(4096)))
  t.true(queue.isEmpty)
})

test('what encodeWith returns holds no more memory than it needs', (t) => {
  t.true(encodeWith(line(), 'a').buffer.byteLength <= Buffer.poolSize)
})
