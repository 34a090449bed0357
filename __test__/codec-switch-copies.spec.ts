/** A framing that its user changes later: connections go on with what it was when it was given. */

import test from 'ava'
import { type Codec, type Conn, delimiter, connect as dial, type Framing, raw } from 'millrace'
import { connect, read } from './support/client.js'
import { gate } from './support/gate.js'
import { start } from './support/serve.js'

type Bytes = Codec<Buffer, Uint8Array | string>

/** A framing that can be changed, a change, and the body `ab` as it is on the wire before. */
interface Case {
  readonly make: () => Framing
  readonly change: object
  readonly wire: string
}

const CASES: Readonly<Record<string, Case>> = {
  line: { make: () => ({ kind: 'line', max: 100 }), change: { max: 1 }, wire: 'ab\n' },
  'line that becomes fixed': {
    make: () => ({ kind: 'line', max: 100 }),
    change: { kind: 'fixed', size: 3 },
    wire: 'ab\n',
  },
  delimiter: {
    make: () => ({ kind: 'delimiter', bytes: Buffer.from('||'), max: 100 }),
    change: { bytes: Buffer.from('--') },
    wire: 'ab||',
  },
  fixed: { make: () => ({ kind: 'fixed', size: 2 }), change: { size: 1 }, wire: 'ab' },
  lengthField: {
    make: () => ({
      kind: 'lengthField',
      bytes: 2,
      offset: 0,
      adjust: 0,
      strip: 2,
      endian: 'big',
      max: 100,
    }),
    change: { endian: 'little' },
    wire: '\0\x02ab',
  },
  varint: { make: () => ({ kind: 'varint', max: 100 }), change: { max: 1 }, wire: '\x02ab' },
}

/** Messages of two bytes, so that none has bytes of the next framing. */
const pairs: Bytes = {
  ...raw(),
  decode: (from) => (from.remaining < 2 ? undefined : from.bytes(2)),
}

function codecOf(framing: Framing): Bytes {
  return {
    framing,
    switchable: true,
    decode: (from) => from.bytes(from.remaining),
    encode: (message, to) =>
      void (typeof message === 'string' ? to.text(message) : to.bytes(message)),
  }
}

for (const [name, { make, change, wire }] of Object.entries(CASES)) {
  const two = Buffer.from(wire + wire, 'latin1')

  test(`a framing that is changed behind its assignment is what it was: ${name}`, async (t) => {
    const texts: string[] = []
    const server = await start<Buffer, Uint8Array | string>(t, {
      codec: pairs,
      message(conn, message) {
        texts.push(message.toString())
        if (conn.codec.framing.kind === 'raw') {
          const framing = make()
          conn.codec = codecOf(framing)
          Object.assign(framing, change)
        } else conn.write(message)
      },
    })
    const socket = await connect(server.port)
    socket.write('go')
    socket.write(two)
    t.deepEqual(await read(socket, two.length), two)
    t.deepEqual(texts, ['go', 'ab', 'ab'])
    socket.destroy()
  })

  test(`a framing that is changed behind serve is what it was: ${name}`, async (t) => {
    const framing = make()
    const texts: string[] = []
    const server = await start<Buffer, Uint8Array | string>(t, {
      codec: codecOf(framing),
      message(conn, message) {
        texts.push(message.toString())
        conn.write(message)
      },
    })
    Object.assign(framing, change)
    const socket = await connect(server.port)
    socket.write(two)
    t.deepEqual(await read(socket, two.length), two)
    t.deepEqual(texts, ['ab', 'ab'])
    server.broadcast('ab')
    t.deepEqual(await read(socket, wire.length), Buffer.from(wire, 'latin1'))
    socket.destroy()
  })

  test(`a framing that is changed behind connect is what it was: ${name}`, async (t) => {
    const server = await start(t, { message: (conn, chunk) => void conn.write(chunk) })
    const framing = make()
    const got = gate<string[]>()
    const texts: string[] = []
    const conn = await dial<Buffer, Uint8Array | string>({
      to: { host: '127.0.0.1', port: server.port },
      codec: codecOf(framing),
      message(_conn, message) {
        texts.push(message.toString())
        if (texts.length === 2) got.open(texts)
      },
    })
    Object.assign(framing, change)
    conn.write('ab')
    conn.write('ab')
    t.deepEqual(await got.passed, ['ab', 'ab'])
    conn.destroy()
  })
}

test('the bytes of a delimiter that are changed behind its assignment are what they were', async (t) => {
  const bytes = Buffer.from('||')
  const server = await start<Buffer, Uint8Array | string>(t, {
    codec: pairs,
    message(conn, message) {
      if (conn.codec.framing.kind === 'raw') {
        conn.codec = codecOf(Object.freeze({ kind: 'delimiter', bytes, max: 100 }))
        bytes.fill('-')
      } else conn.write(message)
    },
  })
  const socket = await connect(server.port)
  socket.write('go')
  socket.write('ab||--||')
  t.is((await read(socket, 8)).toString(), 'ab||--||')
  socket.destroy()
})

test('connections read and write the same delimiter, though the bytes in its codec have changed', async (t) => {
  const codec = delimiter('||')
  const echo = { codec, message: (conn: Conn, message: Buffer) => void conn.write(message) }
  await start(t, echo)
  if (codec.framing.kind === 'delimiter') codec.framing.bytes.fill(0x2d)
  const server = await start(t, echo)
  const got = gate<string>()
  const conn = await dial({
    to: { host: '127.0.0.1', port: server.port },
    codec,
    message: (_conn, message) => got.open(message.toString()),
  })
  conn.write('ab')
  t.is(await got.passed, 'ab')
  conn.destroy()
  const socket = await connect(server.port)
  socket.write('ab||')
  t.is((await read(socket, 4)).toString(), 'ab||')
  socket.destroy()
})
