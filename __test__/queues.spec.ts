import test from 'ava'
import { encodeWith, line } from 'millrace'
import { OutboundQueue } from '../lib/runtime/outbound-queue.js'
import type { SlotHandle } from '../lib/runtime/record-handlers.js'
import { RingWriter } from '../lib/runtime/ring-writer.js'
import { PendingQueue } from '../lib/util/pending-queue.js'
import { turns } from './support/turns.js'

const HANDLE: SlotHandle = { slot: 1, generation: 1 }

/** Whether the garbage collector has taken an object that nothing should hold any more. */
async function isCollected(ref: WeakRef<object>): Promise<boolean> {
  for (let attempt = 0; attempt < 10 && ref.deref() !== undefined; attempt++) {
    // References from this turn have to go first.
    await turns(1)
    globalThis.gc?.()
  }
  return ref.deref() === undefined
}

test('a queue of input that is never empty keeps nothing that was taken from it', async (t) => {
  const queue = new PendingQueue<Buffer>()
  const push = () => {
    const item = Buffer.alloc(1 << 16)
    queue.push(item)
    return new WeakRef(item)
  }
  const first = push()
  push()
  queue.shift()
  t.is(queue.count, 1)
  t.true(await isCollected(first))
})

test('what was taken from a queue may be put back in front', (t) => {
  const queue = new PendingQueue<Buffer>()
  for (const text of ['a', 'b', 'c']) queue.push(Buffer.from(text))
  const first = queue.shift() as Buffer
  queue.unshift(first)
  queue.unshift(Buffer.from('0'))
  const all: string[] = []
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) all.push(String(next))
  t.deepEqual(all, ['0', 'a', 'b', 'c'])
  t.is(queue.count, 0)
})

test('a queue of output that is never empty keeps nothing that has gone out', async (t) => {
  const queue = new OutboundQueue()
  const push = () => {
    const bytes = Buffer.alloc(900)
    queue.push(2, HANDLE, bytes)
    return new WeakRef(bytes)
  }
  const ring = new RingWriter(new ArrayBuffer(4096))
  const first = push()
  for (let count = 0; count < 9; count++) push()
  queue.moveInto(ring)
  t.false(queue.isEmpty)
  t.true(await isCollected(first))
})

test('a queue takes any number of records from another', (t) => {
  const [queue, other] = [new OutboundQueue(), new OutboundQueue()]
  for (let count = 0; count < 200_000; count++) other.push(1, HANDLE, undefined)
  queue.append(other)
  t.true(other.isEmpty)
  t.false(queue.isEmpty)
  queue.remove(HANDLE)
  t.true(queue.isEmpty)
})

test('what encodeWith returns holds no more memory than it needs', (t) => {
  t.true(encodeWith(line(), 'a').buffer.byteLength <= Buffer.poolSize)
})
