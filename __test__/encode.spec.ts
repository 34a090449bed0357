import test from 'ava'
import { type Codec, type Conn, lengthField, line, map, raw, varint } from 'millrace'
import { connect, readAll } from './support/client.js'
import { codeOf, gate, tally } from './support/gate.js'
import { start } from './support/serve.js'

const MINE = new Error('mine')

test('write rethrows an error of encode, sends nothing, and the connection goes on', async (t) => {
  const codec: Codec<Buffer, string> = {
    ...lengthField(),
    encode(text, to) {
      to.text(text)
      if (text.startsWith('bad')) throw MINE
    },
  }
  const server = await start<Buffer, string>(t, {
    codec,
    open(conn) {
      conn.write('a')
      t.throws(() => conn.write('bad'), { is: MINE })
      conn.write('b')
      // Too large for the ring, so it is encoded in the scratch buffer.
      t.throws(() => conn.write(`bad${'x'.repeat(3 << 20)}`), { is: MINE })
      t.throws(() => conn.end('bad'), { is: MINE })
      t.is(conn.readyState, 'open')
      conn.write('c')
      t.is(conn.bytesWritten, 15)
      conn.end()
    },
  })
  const got = await readAll(await connect(server.port))
  t.is(got.toString('latin1'), '\0\0\0\x01a\0\0\0\x01b\0\0\0\x01c')
})

test('write refuses a message that the framing cannot carry, with a code', async (t) => {
  const refused = async (
    codec: Codec<Buffer, string | Uint8Array>,
    message: string,
    code: string,
  ) => {
    const server = await start<Buffer, string | Uint8Array>(t, {
      codec,
      open(conn) {
        t.throws(() => conn.write(message), { code })
        conn.end('12345')
      },
    })
    const got = await readAll(await connect(server.port))
    t.true(got.includes('12345'))
  }
  await refused(line({ max: 5 }), '123456', 'ERR_FRAME_TOO_LARGE')
  await refused(line({ max: 5 }), '1\n2', 'ERR_FRAME_INVALID')
  await refused(varint({ max: 5 }), '123456', 'ERR_FRAME_TOO_LARGE')
  await refused(lengthField({ max: 5 }), '123456', 'ERR_FRAME_TOO_LARGE')
  await refused(lengthField({ bytes: 1, max: 1000 }), 'x'.repeat(256), 'ERR_FRAME_INVALID')
})

test('a write inside encode is sent whole, after the message being encoded', async (t) => {
  let conn: Conn<Buffer, string> | undefined
  const codec: Codec<Buffer, string> = {
    ...line(),
    encode(text, to) {
      to.text(`<${text}`)
      if (text.startsWith('outer')) conn?.write('inner')
      to.text('>')
    },
  }
  const server = await start<Buffer, string>(t, {
    codec,
    open(opened) {
      conn = opened
      for (let at = 0; at < 1000; at++) conn.write(`outer ${at}`)
      t.is(conn.bytesWritten, expected.length)
      void conn.flushed().then(() => opened.end())
    },
  })
  const expected = Array.from({ length: 1000 }, (_, at) => `<outer ${at}>\n<inner>\n`).join('')
  const got = await readAll(await connect(server.port))
  t.true(got.toString() === expected)
})

test('a write inside an encode that throws is still sent', async (t) => {
  let conn: Conn<Buffer, string> | undefined
  const codec: Codec<Buffer, string> = {
    ...line(),
    encode(text, to) {
      to.text(text)
      if (text !== 'bad') return
      conn?.write('inner')
      throw MINE
    },
  }
  const server = await start<Buffer, string>(t, {
    codec,
    open(opened) {
      conn = opened
      conn.write('before')
      t.throws(() => conn?.write('bad'), { is: MINE })
      conn.write('after')
      conn.end()
    },
  })
  t.is((await readAll(await connect(server.port))).toString(), 'before\ninner\nafter\n')
})

for (const loops of [1, 2]) {
  test(`writes inside encode to other connections stay whole (loops: ${loops})`, async (t) => {
    const connections = 8
    const rounds = 200
    const conns: Conn<Buffer, string>[] = []
    const opened = tally(connections)
    const filler = 'x'.repeat(9000)
    const codec: Codec<Buffer, string> = {
      ...line(),
      encode(text, to) {
        to.text(text)
        if (text.startsWith('all')) for (const conn of conns) conn.write(`from ${text}`)
        to.text(filler)
      },
    }
    const server = await start<Buffer, string>(t, {
      loops,
      codec,
      maxWriteBuffer: 1 << 30,
      open(conn) {
        conns.push(conn)
        opened.hit()
      },
    })
    const sockets = await Promise.all(
      Array.from({ length: connections }, () => connect(server.port)),
    )
    await opened.all
    for (let round = 0; round < rounds; round++) {
      conns[0]?.write('plain')
      conns[0]?.write(`all ${round}`)
    }
    for (const conn of conns) conn.end()
    const replies = await Promise.all(
      sockets.map(async (socket) => (await readAll(socket)).toString()),
    )
    const inner = Array.from({ length: rounds }, (_, round) => `from all ${round}${filler}`)
    for (const reply of replies) {
      const texts = reply.split('\n')
      t.deepEqual(
        texts.filter((text) => text.startsWith('from')),
        inner,
      )
      t.true([1 + rounds, 1 + 3 * rounds].includes(texts.length))
    }
  })
}

test('encode may end and destroy connections', async (t) => {
  let conn: Conn<Buffer, string> | undefined
  const ended = gate<Error | undefined>()
  const codec: Codec<Buffer, string> = {
    ...raw(),
    encode(text, to) {
      if (text === 'end') conn?.end()
      to.text(text)
    },
  }
  const server = await start<Buffer, string>(t, {
    codec,
    open(opened) {
      conn = opened
      conn.write('before ')
      conn.write('end')
      t.false(conn.write('never'))
    },
    close: (_, error) => ended.open(error),
  })
  t.is((await readAll(await connect(server.port))).toString(), 'before end')
  t.is(await ended.passed, undefined)
})

test('messages written byte by byte arrive whole, whatever room is left in the ring', async (t) => {
  const codec: Codec<Buffer, number> = {
    ...varint(),
    encode(length, to) {
      for (let at = 0; at < length; at++) to.u8((length + at) % 251)
    },
  }
  // With a 4 KiB ring, most messages begin in the ring and continue elsewhere.
  const lengths = Array.from({ length: 1500 }, (_, at) => at)
  const server = await start<Buffer, number>(t, {
    loops: 1,
    ringBytes: 4096,
    codec,
    open(conn) {
      for (const length of lengths) conn.write(length)
      conn.end()
    },
  })
  const got = await readAll(await connect(server.port))
  let at = 0
  for (const length of lengths) {
    const header = length < 128 ? [length] : [(length & 127) | 128, length >> 7]
    const expected = Buffer.from([
      ...header,
      ...Array.from({ length }, (_, place) => (length + place) % 251),
    ])
    if (!got.subarray(at, at + expected.length).equals(expected))
      t.fail(`the message of ${length} bytes`)
    at += expected.length
  }
  t.is(at, got.length)
})

test('an encode that returns a promise is refused, and its later writes throw', async (t) => {
  const later = gate()
  const outcomes: Promise<unknown>[] = []
  const codec: Codec<Buffer, string> = {
    ...raw(),
    encode(text, to) {
      if (text !== 'async') {
        to.text(text)
        return
      }
      const writing = later.passed.then(() => to.text('later'))
      outcomes.push(writing.catch(codeOf))
      return writing as never
    },
  }
  const server = await start<Buffer, string>(t, {
    codec: map(
      codec,
      (chunk) => chunk,
      (text: string) => text,
    ),
    async open(conn) {
      conn.write('before ')
      t.throws(() => conn.write('async'), { code: 'ERR_ENCODE_ASYNC' })
      t.throws(() => server.broadcast('async'), { code: 'ERR_ENCODE_ASYNC' })
      conn.write('behind')
      later.open()
      t.deepEqual(await Promise.all(outcomes), ['ERR_WRITER_STALE', 'ERR_WRITER_STALE'])
      conn.end()
    },
  })
  t.is((await readAll(await connect(server.port))).toString(), 'before behind')
})
