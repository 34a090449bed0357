/** What can be taken away with the memory of a message: its own bytes, and none of a later message. */

import net from 'node:net'
import { MessageChannel } from 'node:worker_threads'
import test from 'ava'
import { defineCodec, lengthField, line, type Reader, toDuplex } from 'millrace'
import { codeOf, gate, tally } from './support/gate.js'
import { start } from './support/serve.js'
import { bodyOf, FRAMINGS, lengthOf, receive, SIZES, WAYS } from './support/sized-messages.js'

type Memory = ArrayBuffer & { transfer?(): ArrayBuffer; transferToFixedLength?(): ArrayBuffer }

/** Ways to take memory away. They throw where that is refused. */
const TRANSFERS: Readonly<Record<string, (memory: Memory) => unknown>> = {
  structuredClone: (memory) => structuredClone(memory, { transfer: [memory] }),
  postMessage(memory) {
    const { port1, port2 } = new MessageChannel()
    try {
      port1.postMessage(memory, [memory])
    } finally {
      port1.close()
      port2.close()
    }
  },
  transfer: (memory) => memory.transfer?.(),
  transferToFixedLength: (memory) => memory.transferToFixedLength?.(),
  byteStream(memory) {
    const start = (to: ReadableByteStreamController) => to.enqueue(new Uint8Array(memory))
    return new ReadableStream({ type: 'bytes', start })
  },
}

/** Node 22 has `transfer`, and nothing that stops it. */
const STOPS_TRANSFER = !process.version.startsWith('v22.')

const IS_STOPPED: Readonly<Record<string, boolean>> = {
  structuredClone: true,
  postMessage: true,
  transfer: STOPS_TRANSFER,
  transferToFixedLength: STOPS_TRANSFER,
  byteStream: STOPS_TRANSFER && !process.version.startsWith('v20.'),
}

for (const framing of Object.keys(FRAMINGS)) {
  for (const way of WAYS) {
    test.serial(
      `transferring a ${framing} message that is ${way} takes no later one away`,
      async (t) => {
        for (const [name, transfer] of Object.entries(TRANSFERS)) {
          const bodies = [...SIZES, ...SIZES.slice(0, -1), ...SIZES.slice(0, -1)].sort(
            (a, b) => a - b,
          )
          const copies: Buffer[] = []
          const earlier: { message: Buffer; copy: Buffer }[] = []
          await receive(t, framing, way, bodies.map(bodyOf), (message) => {
            copies.push(Buffer.from(message))
            if (copies.length % 3 === 1) {
              earlier.push({ message, copy: Buffer.from(message) })
              return
            }
            try {
              transfer(message.buffer as Memory)
            } catch (error) {
              t.true(error instanceof Error)
            }
          })
          t.deepEqual(copies, bodies.map(bodyOf), name)
          if (!IS_STOPPED[name]) continue
          for (const { message, copy } of earlier) t.deepEqual(message, copy, name)
        }
      },
    )
  }
}

test('memory that is taken away inside of decode is replaced for the rest of the frame', async (t) => {
  for (const [name, transfer] of Object.entries(TRANSFERS)) {
    const arrived = gate<string[]>()
    const codec = defineCodec<string[], never>({
      framing: lengthField().framing,
      decode(from) {
        const pieces: string[] = []
        while (from.remaining > 0) {
          const piece = from.bytes(100)
          pieces.push(piece.toString())
          try {
            transfer(piece.buffer as Memory)
          } catch {
            // Refused, which is as well.
          }
        }
        return pieces
      },
      encode() {},
    })
    const server = await start<string[], never>(t, {
      codec,
      message: (_, pieces) => arrived.open(pieces),
      close: (_, error) => arrived.open([String(error)]),
    })
    const body = Buffer.concat([0, 1, 2, 3].map((number) => bodyOf(100, number)))
    const socket = net.connect(server.port).on('error', () => {})
    socket.write(Buffer.concat([lengthOf(body), body]))
    const expected = [0, 1, 2, 3].map((number) => bodyOf(100, number).toString())
    t.deepEqual(await arrived.passed, expected, name)
    socket.destroy()
  }
})

test('a stream gets pieces that share no memory with what is still to come', async (t) => {
  const lines = Array.from({ length: 50 }, (_, number) => `${bodyOf(700, number)}\n`)
  const expected = lines.slice(1).join('')
  const arrived = gate<string>()
  let text = ''
  const server = await start<Buffer>(t, {
    codec: line(),
    // The lines that have come with the first one wait in memory that they share.
    message(conn) {
      const stream = toDuplex(conn).on('error', () => {})
      stream.on('data', (piece: Buffer) => {
        text += piece
        try {
          structuredClone(piece.buffer, { transfer: [piece.buffer as ArrayBuffer] })
        } catch {
          // Refused, which is as well.
        }
        if (text.length === expected.length) arrived.open(text)
      })
    },
  })
  const socket = net.connect(server.port).on('error', () => {})
  socket.write(lines.join(''))
  t.is(await arrived.passed, expected)
  socket.destroy()
})

test('copy reads bytes into memory of exactly their size, which can be transferred', async (t) => {
  for (const framing of Object.keys(FRAMINGS)) {
    for (const size of [0, ...SIZES]) {
      const arrived = gate<Buffer>()
      const own = FRAMINGS[framing] as (typeof FRAMINGS)['line']
      const decode = (from: Reader) => {
        if (framing !== 'raw') return from.copy(from.remaining)
        if (from.remaining < 4) return undefined
        const length = from.u32()
        return from.remaining < length ? undefined : from.copy(length)
      }
      const server = await start<Buffer, never>(t, {
        codec: { ...own.codec, decode },
        message: (_, message) => arrived.open(message),
      })
      const socket = net.connect(server.port).on('error', () => {})
      const body = bodyOf(size, size)
      socket.write(Buffer.concat(own.wire(body)))
      const copy = await arrived.passed
      t.true(Buffer.isBuffer(copy))
      t.deepEqual(copy, body)
      t.is(copy.buffer.byteLength, size)
      const moved = structuredClone(copy.buffer, { transfer: [copy.buffer as ArrayBuffer] })
      t.is(moved.byteLength, size)
      t.is(copy.buffer.byteLength, 0)
      socket.destroy()
    }
  }
})

test('copy refuses what bytes refuses', async (t) => {
  for (const n of [5, -1, 1.5, Number.NaN, '1' as unknown as number]) {
    const errors = tally<[string | undefined, string, string]>(2)
    for (const name of ['bytes', 'copy'] as const) {
      const codec = { ...line(), decode: (from: Reader) => from[name](n) }
      const server = await start<Buffer>(t, {
        codec,
        message() {},
        close: (_, error) => errors.hit([codeOf(error), error?.name ?? '', error?.message ?? '']),
      })
      const socket = net.connect(server.port).on('error', () => {})
      socket.write('four\n')
    }
    const [first, second] = await errors.all
    t.deepEqual(first, second)
    t.not(first?.[1], '')
  }
})
