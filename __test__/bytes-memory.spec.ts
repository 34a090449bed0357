/** What a message of bytes keeps in memory, and what can be taken away with it. */

import { once } from 'node:events'
import net from 'node:net'
import { MessageChannel } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import {
  bind,
  type Codec,
  defineCodec,
  lengthField,
  line,
  type Reader,
  raw,
  toDuplex,
} from 'millrace'
import { bound } from './support/datagrams.js'
import { path } from './support/dial.js'
import { codeOf, gate, tally } from './support/gate.js'
import { arrayBuffers, arrayBuffersUpTo } from './support/memory.js'
import { RING_BYTES, start } from './support/serve.js'

/** Sizes around those at which memory is shared, not shared any more, or comes in parts. */
const SIZES = [1, 10, 64, 65, 79, 80, 129, 1000, 5000, 8192, 16_384, 16_385, 300_000]
/** What a message may keep in memory, in its own lengths. */
const BOUND = 8
/** Of so many messages, one is kept. */
const KEPT = 50
/** For what else is in use: the rings of a server, slabs that are not full yet, and the buffers of a peer. */
const SLACK = 3 << 20

type Bytes = Codec<Buffer, never>

/** Framings, each with what is on the wire of a body. */
const FRAMINGS: Readonly<Record<string, { codec: Bytes; wire(body: Buffer): Buffer[] }>> = {
  line: { codec: line() as Bytes, wire: (body) => [body, Buffer.from('\n')] },
  length: { codec: lengthField() as Bytes, wire: (body) => [length(body), body] },
  raw: {
    codec: defineCodec<Buffer, never>({
      framing: raw().framing,
      decode(from) {
        if (from.remaining < 4) return undefined
        const size = from.u32()
        return from.remaining < size ? undefined : from.bytes(size)
      },
      encode() {},
    }),
    wire: (body) => [length(body), body],
  },
}

function length(body: Buffer): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(body.length)
  return bytes
}

/** A body of `size` bytes that tells which one it is. */
function bodyOf(size: number, number: number): Buffer {
  return Buffer.alloc(size, String.fromCharCode(97 + (number % 26)))
}

/** How a server takes the messages of a connection. */
const WAYS = ['pushed', 'pulled', 'paused'] as const

/** Sends bodies in one stream, and gives what arrives to `take`, until all have arrived. */
async function receive(
  t: ExecutionContext,
  framing: string,
  way: (typeof WAYS)[number],
  bodies: readonly Buffer[],
  take: (message: Buffer) => void,
  listen: { path: string } | { port: 0; host: string } = { port: 0, host: '127.0.0.1' },
): Promise<void> {
  const { codec, wire } = FRAMINGS[framing] as (typeof FRAMINGS)['line']
  const done = gate<Error | undefined>()
  let count = 0
  const taken = (message: Buffer) => {
    take(message)
    if (++count === bodies.length) done.open(undefined)
  }
  const server = await start<Buffer, never>(t, {
    listen,
    codec,
    ...(way === 'pulled'
      ? {
          async open(conn) {
            for await (const message of conn) taken(message)
          },
        }
      : {
          message(conn, message) {
            taken(message)
            if (way !== 'paused' || count % (bodies.length > 1000 ? 30 : 3) !== 0) return
            conn.pause()
            setImmediate(() => conn.resume())
          },
        }),
    close: (_, error) => done.open(error),
  })
  const socket = 'path' in listen ? net.connect(listen.path) : net.connect(server.port)
  socket.on('error', () => {})
  for (let at = 0; at < bodies.length; at += 1000)
    socket.write(Buffer.concat(bodies.slice(at, at + 1000).flatMap(wire)))
  t.is(await done.passed, undefined)
  socket.destroy()
  await server.close({ timeout: 0 })
}

for (const framing of Object.keys(FRAMINGS)) {
  for (const way of WAYS) {
    test.serial(
      `a ${framing} message that is ${way} keeps 8 times its bytes at most`,
      async (t) => {
        for (const listen of [{ port: 0, host: '127.0.0.1' } as const, { path: path() }]) {
          const sizes = SIZES.flatMap((size) => [size, size, size])
          const bodies = sizes.map(bodyOf)
          const messages: Buffer[] = []
          await receive(t, framing, way, bodies, (message) => messages.push(message), listen)
          t.deepEqual(messages, bodies)
          for (const { buffer, length } of messages)
            t.true(buffer.byteLength <= BOUND * length, `${length} in ${buffer.byteLength}`)
        }
      },
    )

    test.serial(
      `the ${framing} messages that are kept, ${way}, hold 8 times their bytes at most`,
      async (t) => {
        for (const size of [100, 1000]) {
          const bodies = Array.from({ length: 10e6 / size }, () => bodyOf(size, 0))
          const before = await arrayBuffers()
          const kept: Buffer[] = []
          let count = 0
          await receive(t, framing, way, bodies, (message) => {
            if (count++ % KEPT === 0) kept.push(message)
          })
          await arrayBuffersUpTo(before + BOUND * size * kept.length + SLACK)
          t.is(kept.length, bodies.length / KEPT)
        }
      },
    )
  }
}

for (const way of WAYS) {
  test.serial(`a datagram that is ${way} keeps 8 times its bytes at most`, async (t) => {
    const sizes = SIZES.filter((size) => size < Math.min(10_000, RING_BYTES / 4 - 48))
    for (const size of sizes) {
      const messages: Buffer[] = []
      const arrived = tally<void>(3)
      const take = (message: Buffer) => {
        messages.push(message)
        arrived.hit()
      }
      const socket = await bound(
        t,
        way === 'pulled'
          ? {}
          : {
              message(own, message) {
                take(message)
                if (way !== 'paused') return
                own.pause()
                setImmediate(() => own.resume())
              },
            },
      )
      if (way === 'pulled')
        void (async () => {
          for await (const { message } of socket) take(message)
        })()
      const sender = await bind({ address: 'udp://127.0.0.1:0', message() {} })
      const bodies = [0, 1, 2].map((number) => bodyOf(size, number))
      for (const body of bodies) sender.send(body, `127.0.0.1:${socket.port}`)
      await arrived.all
      t.deepEqual(messages, bodies)
      for (const { buffer, length } of messages)
        t.true(buffer.byteLength <= BOUND * length, `${length} in ${buffer.byteLength}`)
      await sender.close()
    }
  })
}

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
}

/** Node 22 has `transfer`, and nothing that stops it. */
const IS_STOPPED: Readonly<Record<string, boolean>> = {
  structuredClone: true,
  postMessage: true,
  transfer: !process.version.startsWith('v22.'),
  transferToFixedLength: !process.version.startsWith('v22.'),
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
    socket.write(Buffer.concat([length(body), body]))
    const expected = [0, 1, 2, 3].map((number) => bodyOf(100, number).toString())
    t.deepEqual(await arrived.passed, expected, name)
    socket.destroy()
  }
})

test('changing bytes of an incomplete message does not change what is read again', async (t) => {
  for (const way of ['pushed', 'pulled']) {
    const arrived = gate<string>()
    const codec = defineCodec<string, never>({
      framing: raw().framing,
      decode(from) {
        const isComplete = from.indexOf(0x0a) !== -1
        const bytes = from.bytes(from.remaining)
        const text = bytes.toString()
        bytes.fill('!')
        return isComplete ? text : undefined
      },
      encode() {},
    })
    const server = await start<string, never>(t, {
      codec,
      ...(way === 'pulled' ? {} : { message: (_: unknown, text: string) => arrived.open(text) }),
      close() {},
      async open(conn) {
        if (way !== 'pulled') return
        for await (const text of conn) arrived.open(text)
      },
    })
    const socket = net.connect(server.port).on('error', () => {})
    await once(socket, 'connect')
    socket.write('x'.repeat(5000))
    socket.write('\n')
    t.is(await arrived.passed, `${'x'.repeat(5000)}\n`, way)
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
