/** The memory that Rust shares with JavaScript cannot be reached from what users get, and so not be taken away. */

import test, { type ExecutionContext } from 'ava'
import { bind, type Codec, connect, defineCodec, lengthField, raw, varint } from 'millrace'
import { control } from '../lib/native/control-words.js'
import { gate } from './support/gate.js'
import { ONE, start } from './support/serve.js'

/** Bytes of each ring: a size that no other memory has here. */
const RING = 1 << 15

function isShared(memory: ArrayBufferLike): boolean {
  return memory.byteLength === RING || memory === control.buffer
}

/** Finds shared memory in all that can be reached from an object, through its own and inherited properties. */
function findShared(root: object): string[] {
  const found: string[] = []
  const seen = new Set<unknown>()
  const visit = (value: unknown, path: string): void => {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return
    if (seen.has(value)) return
    seen.add(value)
    const memory = ArrayBuffer.isView(value) ? value.buffer : value
    if (memory instanceof ArrayBuffer || memory instanceof SharedArrayBuffer) {
      if (isShared(memory)) found.push(path)
      return
    }
    if (value === globalThis || value === process) return
    if (value instanceof Map || value instanceof Set)
      for (const [key, each] of value.entries()) {
        visit(key, `${path}{}`)
        visit(each, `${path}{}`)
      }
    for (let from: object | null = value; from !== null; from = Object.getPrototypeOf(from)) {
      for (const key of Reflect.ownKeys(from)) {
        let each: unknown
        try {
          each = Reflect.get(from, key, value)
        } catch {
          continue
        }
        visit(each, `${path}.${String(key)}`)
      }
    }
  }
  visit(root, '')
  return found
}

/** Calls everything that an object has, with numbers, and finds shared memory in the results. */
function findReturned(object: object): string[] {
  const found: string[] = []
  for (let from: object | null = object; from !== null; from = Object.getPrototypeOf(from)) {
    // From the last to the first, because the first ones end the use of a reader or writer.
    for (const key of Reflect.ownKeys(from).reverse()) {
      if (key === 'constructor' || from === Object.prototype) continue
      for (const n of [0, 1]) {
        try {
          const method: unknown = Reflect.get(from, key, object)
          const result: unknown =
            typeof method === 'function' ? Reflect.apply(method, object, [n]) : undefined
          if (typeof result === 'object' && result !== null && result !== object)
            found.push(...findShared(result).map((path) => `${String(key)}(${n})${path}`))
        } catch {
          // What it takes, or refuses, is for other specs.
        }
      }
    }
  }
  return found
}

test('the search finds shared memory wherever it is', (t) => {
  const memory = new ArrayBuffer(RING)
  const key = Symbol('key')
  class Parent {
    get hidden() {
      return { [key]: new DataView(memory) }
    }
    lend(n: number) {
      return { memory: Buffer.from(memory, 0, n) }
    }
  }
  class Child extends Parent {
    readonly #own = new Uint8Array(memory)
    readonly inMap = new Map([['a', [this.#own]]])
  }
  const found = findShared(new Child())
  for (const path of ['.hidden.Symbol(key)', '.inMap{}.0']) t.true(found.includes(path), path)
  t.deepEqual(findShared({ control }), ['.control'])
  t.deepEqual(findReturned(new Child()), ['lend(0).memory', 'lend(1).memory'])
})

/** Codecs that search in the reader and the writer which they get. */
function searching(
  t: ExecutionContext,
  framing: Codec<Buffer>['framing'],
  counts: { decoded: number; encoded: number },
) {
  return defineCodec({
    framing,
    decode(from) {
      counts.decoded++
      t.deepEqual(findShared(from), [], 'the reader')
      const bytes = from.bytes(from.remaining)
      t.deepEqual(findShared(bytes), [], 'what it returned')
      return bytes
    },
    encode(message: Uint8Array, to) {
      counts.encoded++
      t.deepEqual(findShared(to), [], 'the writer')
      return to.bytes(message)
    },
  })
}

for (const framing of [raw(), lengthField(), varint()].map((codec) => codec.framing)) {
  test(`no reader, writer, connection or server leads to shared memory, with ${framing.kind}`, async (t) => {
    const counts = { decoded: 0, encoded: 0 }
    const codec = searching(t, framing, counts)
    const replied = gate<Buffer>()
    const server = await start<Buffer, Uint8Array>(t, {
      loops: ONE,
      ringBytes: RING,
      codec,
      open: (conn) => t.deepEqual(findShared(conn), [], 'an opening connection'),
      message(conn, message) {
        t.deepEqual(findShared(conn), [], 'a connection')
        conn.write(message)
      },
    })
    t.deepEqual(findShared(server), [], 'a server')
    for (const listener of server.listeners) t.deepEqual(findShared(listener), [], 'a listener')
    const to = `tcp://127.0.0.1:${server.port}`
    const client = await connect({
      to,
      loops: server,
      codec,
      reconnect: true,
      message: (_, message) => replied.open(message),
    })
    client.write(Buffer.from('a message'))
    t.is(String(await replied.passed), 'a message')
    t.deepEqual(findShared(client), [], 'a client')
    await client.close()
    // Pulled messages are read from other memory.
    const conn = await connect({ to, loops: server, codec })
    conn.write(Buffer.from('another'))
    for await (const message of conn) {
      t.is(String(message), 'another')
      t.deepEqual(findShared(conn), [], 'a connection that is pulled from')
      conn.end()
    }
    t.true(counts.decoded >= 4 && counts.encoded >= 4)
  })
}

test('no method of a reader or a writer returns shared memory', async (t) => {
  const searched = gate<void>()
  const { framing } = lengthField()
  const sender = defineCodec({
    framing,
    decode: (from) => from.bytes(from.remaining),
    encode(message: Uint8Array, to) {
      to.bytes(message)
      t.deepEqual(findReturned(to), [], 'a writer')
    },
  })
  const receiver = defineCodec({
    framing,
    decode(from) {
      t.deepEqual(findReturned(from), [], 'a reader')
      searched.open()
      return from.bytes(from.remaining)
    },
    encode: (message: Uint8Array, to) => void to.bytes(message),
  })
  const server = await start<Buffer, Uint8Array>(t, {
    loops: ONE,
    ringBytes: RING,
    codec: receiver,
    open: (conn) => void conn.write(Buffer.from('a message')),
    message() {},
    close() {},
  })
  const to = `tcp://127.0.0.1:${server.port}`
  // What only millrace calls may break a message, or its connection, but nothing else.
  const conn = await connect({ to, loops: server, codec: receiver, message() {}, close() {} })
  await searched.passed
  const own = await connect({ to, loops: server, codec: sender, message() {}, close() {} })
  try {
    own.write(Buffer.from('a message'))
  } catch (thrown) {
    t.true(thrown instanceof Error)
  }
  own.destroy()
  conn.destroy()
})

test('no datagram socket, and nothing that it gives, leads to shared memory', async (t) => {
  const counts = { decoded: 0, encoded: 0 }
  const codec = searching(t, raw().framing, counts)
  const arrived = gate()
  const server = await start(t, { loops: ONE, ringBytes: RING })
  const socket = await bind({
    address: 'udp://127.0.0.1:0',
    loops: server,
    codec,
    message(own, _, info) {
      t.deepEqual(findShared(own), [], 'a socket')
      t.deepEqual(findShared(info), [], 'what is known about a datagram')
      arrived.open()
    },
  })
  t.teardown(() => socket.close())
  const connected = await connect({ to: `udp://127.0.0.1:${socket.port}`, loops: server, codec })
  t.teardown(() => connected.close())
  t.deepEqual(findShared(connected), [], 'a connected socket')
  connected.send(Buffer.from('a message'))
  await arrived.passed
  t.deepEqual(counts, { decoded: 1, encoded: 1 })
})
