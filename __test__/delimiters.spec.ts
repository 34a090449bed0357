import test from 'ava'
import {
  type Codec,
  type Conn,
  delimiter,
  encodeWith,
  type FrameData,
  json,
  testCodec,
} from 'millrace'
import { connect, readAll } from './support/client.js'
import { dial } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { KINDS, listenOn } from './support/kinds.js'
import { random, SEED } from './support/random.js'
import { client, peer, States } from './support/reconnect.js'
import { start } from './support/serve.js'

/** All texts of up to `most` letters, each of them `a` or `b`. */
function words(most: number): string[] {
  const all = ['']
  for (let at = 0; at < all.length; at++) {
    const word = all[at] as string
    if (word.length < most) all.push(`${word}a`, `${word}b`)
  }
  return all
}

/** A message that moves the boundary behind it, for each delimiter that overlaps itself. */
const MOVING: [delimiter: string, body: string][] = [
  ['\r\n\r\n', 'a\r\n'],
  ['aa', 'a'],
  ['aba', 'ab'],
  ['\n.\n', 'x\n.'],
  ['=====', 'key='],
]

/** Writes each character by itself. */
function byteByByte(codec: Codec<Buffer, FrameData>): Codec<Buffer, string> {
  return {
    ...codec,
    encode(text: string, to) {
      for (const byte of Buffer.from(text)) to.u8(byte)
    },
  }
}

test('a message is refused exactly if its delimiter would be found before its end', (t) => {
  const bodies = words(6)
  for (const end of words(4).slice(1)) {
    const codec = delimiter(end)
    for (const body of bodies) {
      const isWhole = (body + end).indexOf(end) === body.length
      if (!isWhole) {
        t.throws(() => encodeWith(codec, body), { code: 'ERR_FRAME_INVALID' }, `${body}|${end}`)
        continue
      }
      const stream = Buffer.concat([encodeWith(codec, body), encodeWith(codec, '')])
      const { messages, error } = testCodec(codec, stream, { splits: 'each' })
      if (messages.join('|') !== `${body}|` || error !== undefined) t.fail(`${body}|${end}`)
    }
  }
})

for (const [end, body] of MOVING) {
  const name = JSON.stringify([body, end])
  test(`every way to send refuses a message that moves its boundary: ${name}`, async (t) => {
    const codec = delimiter(end)
    const refused = { code: 'ERR_FRAME_INVALID' }
    const server = await start<Buffer, FrameData>(t, {
      codec,
      open(conn) {
        conn.write('one')
        t.throws(() => conn.write(body), refused)
        t.throws(() => conn.write(Buffer.from(body)), refused)
        t.throws(() => conn.write([...body]), refused)
        t.throws(() => conn.write([body.slice(0, -1), Buffer.from(body.slice(-1))]), refused)
        t.throws(() => server.broadcast(body), refused)
        t.throws(() => conn.end(body), refused)
        conn.end(['t', 'wo'])
      },
    })
    t.is(String(await readAll(await connect(server.port))), `one${end}two${end}`)
    t.throws(() => encodeWith(codec, body), refused)
    t.throws(() => encodeWith(byteByByte(codec), body), refused)
    t.deepEqual(testCodec(codec, encodeWith(byteByByte(codec), 'two')).messages.map(String), [
      'two',
    ])
  })
}

test('a client without a connection refuses a message that moves its boundary', async (t) => {
  const server = await peer(t)
  const states = new States()
  const it = await client(t, { to: server.to, codec: delimiter('aa'), state: states.note })
  await server.arrived.reaches(1)
  await server.stop()
  await states.of('waiting').reaches(1)
  t.throws(() => it.write('ba'), { code: 'ERR_FRAME_INVALID' })
  t.is(it.queued, 0)
  t.true(it.write('ab'))
  t.is(it.queued, 4)
})

test('JSON whose last quote belongs to a delimiter is refused', (t) => {
  const codec = json<string>(delimiter('""'))
  t.throws(() => encodeWith(codec, 'text'), { code: 'ERR_FRAME_INVALID' })
  t.deepEqual(testCodec(codec, encodeWith(json<number>(delimiter('""')), 7)).messages, [7])
})

const PULLS = [true, false]

for (const kind of KINDS) {
  for (const pulls of PULLS) {
    const how = pulls ? 'pulled' : 'pushed'
    test(`what write accepts arrives as it was, both ways: ${kind}, ${how}`, async (t) => {
      const draw = random(1)
      for (const end of ['aa', 'aba', 'abab', 'aabaa', 'ab']) {
        const codec = delimiter(end)
        /** Writes random messages, and returns those that were accepted. */
        const send = (conn: Pick<Conn<Buffer, FrameData>, 'write'>) => {
          const accepted: string[] = []
          for (let at = 0; at < 300; at++) {
            const body = Array.from({ length: draw.whole(0, 12) }, () => draw.one(['a', 'b']))
            try {
              conn.write(draw.whole(0, 1) === 0 ? body.join('') : body)
              accepted.push(body.join(''))
            } catch (error) {
              t.is(codeOf(error), 'ERR_FRAME_INVALID')
            }
          }
          return accepted
        }
        const sent = gate<string[]>()
        const received = gate<string[]>()
        const texts: string[] = []
        const server = await start<Buffer, FrameData>(t, {
          listen: listenOn(t, kind),
          codec,
          async open(conn) {
            sent.open(send(conn))
            if (pulls) for await (const text of conn) texts.push(String(text))
          },
          ...(pulls ? {} : { message: (_conn, text) => void texts.push(String(text)) }),
          close: () => received.open(texts),
        })
        const conn = await dial(t, { to: server.addresses[0] as string, codec })
        const accepted = send(conn)
        conn.end()
        const answers: string[] = []
        for await (const text of conn) answers.push(String(text))
        t.deepEqual(answers, await sent.passed, `${end}, seed ${SEED}`)
        t.deepEqual(await received.passed, accepted, `${end}, seed ${SEED}`)
        t.true(accepted.length > 0)
      }
    })
  }
}
