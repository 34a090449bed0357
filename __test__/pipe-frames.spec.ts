/** Piped connections with frames: what crosses is what came from the wire, byte for byte. */

import test, { type ExecutionContext } from 'ava'
import {
  type Conn,
  defineCodec,
  lengthField,
  line,
  type PipeEnd,
  pipe,
  raw,
  varint,
} from 'millrace'
import { connect, read, readHalf } from './support/client.js'
import { type Bytes, bodyOf, FRAMINGS } from './support/framings.js'
import { gate } from './support/gate.js'
import { HALF, pair } from './support/pipe.js'
import { ONE, start } from './support/serve.js'
import { turns } from './support/turns.js'

const FRAMED = FRAMINGS.filter(({ name }) => name !== 'raw')

/** Something that no framing accepts for long. */
const GARBAGE = Buffer.alloc(100_000, 0xff)

/** A server whose first connection is the other side, and takes no part in framing. */
async function otherSide(t: ExecutionContext, loops: 1 | 'inline') {
  const opened = gate<Conn>()
  const server = await start(t, { ...HALF, loops, open: opened.open })
  const socket = await connect(server.port, HALF)
  return { conn: await opened.passed, socket }
}

/**
 * Sends `first` to a connection with that codec, which is given to `join` together with another one to pipe it to.
 * After everything of `expected` has crossed, sends garbage. Checks every byte.
 */
async function crosses(
  t: ExecutionContext,
  {
    codec,
    first,
    expected,
    isPushed = true,
    sameLoop = true,
    join,
  }: {
    codec: Bytes
    first: Buffer
    expected: Buffer
    isPushed?: boolean
    sameLoop?: boolean
    join?: (conn: Conn, into: Conn) => Promise<PipeEnd | undefined>
  },
) {
  const ended = gate<PipeEnd>()
  const opened: Conn[] = []
  const there = gate<Conn>()
  const other = sameLoop ? undefined : await otherSide(t, ONE)
  const into = () => other?.conn ?? (opened[0] as Conn)
  let hasJoined = false
  const joinOnce = async (conn: Conn) => {
    if (hasJoined || conn === opened[0]) return
    hasJoined = true
    const end = await (join ?? pipe)(conn, into())
    if (end !== undefined) ended.open(end)
  }
  const server = await start(t, {
    ...HALF,
    loops: ONE,
    codec,
    open(conn) {
      opened.push(conn)
      there.open(conn)
      return !isPushed && opened.length === 2 ? pullOne(conn).then(() => joinOnce(conn)) : undefined
    },
    ...(isPushed ? { message: joinOnce } : {}),
  })
  const right = await connect(server.port, HALF)
  await there.passed
  const left = await connect(server.port, HALF)
  const target = other?.socket ?? right
  const received: Buffer[] = []
  let count = 0
  const crossed = gate()
  const over = gate()
  target.on('data', (chunk) => {
    received.push(chunk)
    count += chunk.length
    if (count >= expected.length) crossed.open()
  })
  target.on('end', over.open)
  left.write(first)
  await crossed.passed
  left.end(GARBAGE)
  target.end('and back')
  t.is(String(await readHalf(left)), 'and back')
  await over.passed
  t.true(Buffer.concat(received).equals(Buffer.concat([expected, GARBAGE])))
  t.deepEqual(await ended.passed, {
    forth: expected.length + GARBAGE.length,
    back: 8,
    error: undefined,
  })
  for (const socket of [left, right, target]) socket.destroy()
}

async function pullOne(conn: Conn): Promise<void> {
  await conn[Symbol.asyncIterator]().next()
}

for (const framing of FRAMED) {
  for (const isPushed of [true, false]) {
    test.serial(
      `frames and the beginning of one cross as they came: ${framing.name}, ${isPushed ? 'pushed' : 'pulled'}`,
      async (t) => {
        const size = framing.size ?? Math.min(framing.most, 60_000)
        const frame = (from: number) =>
          framing.wire(bodyOf(framing.size ?? Math.min(size, 900), from))
        const large = framing.wire(bodyOf(size, 4000))
        const rest = Buffer.concat([
          frame(1),
          frame(2),
          large,
          frame(3),
          large.subarray(0, size / 2),
        ])
        const first = Buffer.concat([frame(0), rest])
        for (const sameLoop of [true, false]) {
          const codec = framing.codec(1 << 20)
          await crosses(t, { codec, first, expected: rest, isPushed, sameLoop })
        }
      },
    )
  }
}

const FORMS: [string, Bytes, Buffer, Buffer][] = [
  [
    'lines with and without CR',
    line() as Bytes,
    Buffer.from('go\n'),
    Buffer.from('one\r\n\r\n\ntwo\n\rthree\r\r\nno end'),
  ],
  [
    'lengths that are longer than they need to be',
    varint() as Bytes,
    Buffer.from([0x81, 0x80, 0, 103]),
    Buffer.from([0x82, 0x80, 0x80, 0, 104, 105, 0x80, 0, 1, 33, 0x83, 0]),
  ],
  [
    'headers of which only a part is the length',
    lengthField({ bytes: 1, offset: 2, adjust: 2, strip: 5 }) as Bytes,
    Buffer.from('ab\x02cdef'),
    Buffer.from('ij\x01klmop\x00qrs'),
  ],
]

for (const [name, codec, go, rest] of FORMS) {
  test.serial(`what encoding again would change crosses as it came: ${name}`, async (t) => {
    const first = Buffer.concat([go, rest])
    for (const isPushed of [true, false])
      for (const sameLoop of [true, false])
        await crosses(t, { codec, first, expected: rest, isPushed, sameLoop })
  })
}

test('the frames that a pause has kept cross first', async (t) => {
  const rest = Buffer.from('one\r\ntwo\nthree\r\nno end')
  const first = Buffer.concat([Buffer.from('go\n'), rest])
  const join = async (conn: Conn, into: Conn) => {
    conn.pause()
    for (let count = 0; count < 50 && conn.bytesRead < first.length; count++) await turns(1)
    return pipe(conn, into)
  }
  await crosses(t, { codec: line() as Bytes, first, expected: rest, join })
})

for (const waited of [0, 1, 2, 3, 5, 8, 13]) {
  test.serial(
    `a pipe may begin anywhere in a frame that is larger than the ring: after ${waited} turns`,
    async (t) => {
      const frame = (size: number) =>
        Buffer.concat([Buffer.from(new Uint32Array([size]).buffer).swap32(), bodyOf(size, size)])
      const rest = Buffer.concat([frame(3 << 20), frame(10), frame(5 << 20)])
      const first = Buffer.concat([frame(1), rest])
      const join = async (conn: Conn, into: Conn) => {
        await turns(waited)
        return pipe(conn, into)
      }
      const codec = lengthField({ max: 16 << 20 }) as Bytes
      await crosses(t, { codec, first, expected: rest, isPushed: false, join })
    },
  )
}

for (const waited of [0, 1, 5, 20, 100]) {
  for (const isPushed of [true, false]) {
    test.serial(
      `what no frame could hold crosses as it came: ${isPushed ? 'pushed' : 'pulled'}, after ${waited} turns`,
      async (t) => {
        const join = async (conn: Conn, into: Conn) => {
          await turns(waited)
          return pipe(conn, into)
        }
        const rest = Buffer.alloc(200_000, 'x')
        const first = Buffer.concat([Buffer.from('go\n'), rest])
        for (const sameLoop of [true, false]) {
          const codec = line({ max: 10 }) as Bytes
          await crosses(t, { codec, first, expected: rest, isPushed, sameLoop, join })
        }
      },
    )
  }
}

const WORDS = defineCodec({
  framing: raw(),
  decode: (reader) => (reader.remaining < 4 ? undefined : reader.bytes(4)),
  encode: (message: Uint8Array | string, writer) => writer.bytes(Buffer.from(message)),
})

for (const [name, codec] of [
  ['lines', line()] as const,
  ['words of a raw stream', WORDS] as const,
]) {
  for (const isPushed of [true, false]) {
    test.serial(
      `a message that a FIN has cut crosses, and then the FIN: ${name}, ${isPushed ? 'pushed' : 'pulled'}`,
      async (t) => {
        for (const waited of [0, 1, 5, 20, 100]) {
          const opened: Conn[] = []
          const there = gate()
          const ended = gate<PipeEnd>()
          const join = async (conn: Conn) => {
            await turns(waited)
            ended.open(await pipe(conn, opened[0] as Conn))
          }
          const server = await start(t, {
            ...HALF,
            loops: ONE,
            codec,
            open(conn) {
              opened.push(conn)
              there.open()
              if (isPushed || opened.length === 1) return
              return pullOne(conn).then(() => join(conn))
            },
            ...(isPushed ? { message: join } : {}),
          })
          const right = await connect(server.port, HALF)
          await there.passed
          const left = await connect(server.port, HALF)
          left.end('go!\ncut')
          t.is(String(await readHalf(right)), 'cut', `after ${waited} turns`)
          right.end('answer')
          t.is(String(await readHalf(left)), 'answer')
          t.deepEqual(await ended.passed, { forth: 3, back: 6, error: undefined })
        }
      },
    )
  }
}

test('a connection with frames and a raw one are joined, in both orders', async (t) => {
  for (const order of ['framed first', 'raw first']) {
    const conns = new Map<string, Conn>()
    const both = gate()
    const add = (name: string) => (conn: Conn) => {
      conns.set(name, conn)
      if (conns.size === 2) both.open()
    }
    const server = await start(t, {
      ...HALF,
      loops: ONE,
      listen: [
        { host: '127.0.0.1', port: 0, codec: line(), open: add('framed') } as never,
        { host: '127.0.0.1', port: 0, codec: raw(), open: add('raw') } as never,
      ],
    })
    const [lines, bytes] = await Promise.all(
      server.listeners.map(({ port }) => connect(port ?? 0, HALF)),
    )
    await both.passed
    const [framed, unframed] = [conns.get('framed') as Conn, conns.get('raw') as Conn]
    void (order === 'framed first' ? pipe(framed, unframed) : pipe(unframed, framed))
    lines?.end('no end of line')
    bytes?.end('any\0bytes')
    t.is(String(await readHalf(bytes as never)), 'no end of line')
    t.is(String(await readHalf(lines as never)), 'any\0bytes')
  }
})

test('a piped connection has no frames that could take too long', async (t) => {
  const codes: (string | undefined)[] = []
  const opened: Conn[] = []
  const last = gate()
  const server = await start(t, {
    ...HALF,
    loops: ONE,
    codec: line(),
    timeouts: { frame: 100 },
    open(conn) {
      opened.push(conn)
      if (opened.length === 2) void pipe(opened[0] as Conn, conn)
    },
    message() {},
    close(_conn, error) {
      codes.push(error?.code)
      last.open()
    },
  })
  const left = await connect(server.port, HALF)
  const right = await connect(server.port, HALF)
  right.write('x')
  t.is(String(await read(left, 1)), 'x')
  left.write('not a line')
  const slow = await connect(server.port, HALF)
  slow.on('error', () => {}).write('never a line')
  await last.passed
  t.is(codes[0], 'ERR_FRAME_TIMEOUT')
  left.end(', and goes on')
  t.is(String(await readHalf(right)), 'not a line, and goes on')
  t.is(codes.length, 1)
  for (const socket of [left, right, slow]) socket.destroy()
})

test('a server that closes ends the input of a pipe, even of one that began behind a bad frame', async (t) => {
  for (const order of ['pipe first', 'close first']) {
    const other = await otherSide(t, ONE)
    const isBad = gate<Conn>()
    const piping = gate()
    const server = await start(t, {
      ...HALF,
      loops: ONE,
      codec: line({ max: 10 }),
      async message(conn) {
        isBad.open(conn)
        await piping.passed
        void pipe(conn, other.conn)
      },
    })
    const left = await connect(server.port, HALF)
    left.write(`go\n${'x'.repeat(100)}`)
    const conn = await isBad.passed
    while (conn.readyState === 'open') await turns(1)
    if (order === 'pipe first') {
      piping.open()
      t.is(String(await read(other.socket, 100)), 'x'.repeat(100))
    }
    const closing = server.close()
    if (order === 'close first') {
      await turns(50)
      piping.open()
    }
    const ended = readHalf(other.socket)
    t.is((await ended).length, order === 'pipe first' ? 0 : 100)
    other.socket.end('bye')
    t.is(String(await readHalf(left)), 'bye')
    left.end()
    await closing
  }
})

test('limits in time that are set in the tick of the pipe do not cut it', async (t) => {
  const { a, b, sockets } = await pair(t, { codec: WORDS })
  sockets[0].write('wordwo')
  await a[Symbol.asyncIterator]().next()
  void pipe(a, b)
  a.setTimeouts({ frame: 1 })
  t.is(String(await read(sockets[1], 2)), 'wo')
  // As long as any limit of a millisecond may take.
  await turns(200)
  sockets[0].end('rd')
  t.is(String(await readHalf(sockets[1])), 'rd')
  sockets[1].end()
})
