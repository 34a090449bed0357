/** Handlers are typed by inference only: compiled by `tsconfig.test.json`, never run. */

import type { FrameData } from 'millrace'
import {
  type Codec,
  type CodedError,
  type Conn,
  defineCodec,
  fixed,
  type Handlers,
  json,
  lengthField,
  line,
  map,
  raw,
  type ServeOptions,
  type Server,
  serve,
  varint,
} from 'millrace'
import { type Equal, expect } from './expect.js'

interface Ping {
  id: number
}
interface Pong {
  id: number
  at: number
}

const listen = 'tcp://127.0.0.1:0'

// ---- without a codec: bytes in, bytes or text out

const plain: Handlers & ServeOptions = {
  listen,
  message(conn, chunk) {
    expect<Equal<typeof conn, Conn<Buffer, FrameData, undefined>>>()
    expect<Equal<typeof chunk, Buffer>>()
  },
}
serve(plain)

const bytes = serve({
  listen,
  open(conn) {
    expect<Equal<typeof conn, Conn<Buffer, FrameData, undefined>>>()
  },
  message(conn, chunk) {
    expect<Equal<typeof chunk, Buffer>>()
    expect<Equal<typeof conn.context, undefined>>()
    conn.write(chunk)
    conn.write('text')
    // @ts-expect-error a number is not a message
    conn.write(1)
    // @ts-expect-error there is no context
    conn.context.hits++
  },
  drain(conn) {
    conn.resume()
  },
  close(conn, error) {
    expect<Equal<typeof error, CodedError | undefined>>()
    expect<Equal<typeof conn.id, number>>()
  },
  error(_error, conn) {
    expect<Equal<typeof conn, Conn<Buffer, FrameData, undefined> | undefined>>()
  },
})
expect<Equal<typeof bytes, Promise<Server<Buffer, FrameData, undefined>>>>()

// ---- codecs decide what a message is

serve({
  listen,
  codec: json<Ping, Pong>(lengthField()),
  message(conn, ping) {
    expect<Equal<typeof ping, Ping>>()
    conn.write({ id: ping.id, at: 0 })
    conn.end({ id: ping.id, at: 0 })
    // @ts-expect-error a Ping is received, not sent
    conn.write(ping)
    // @ts-expect-error text is not a Pong
    conn.end('bye')
    conn.close({ id: ping.id, at: 0 })
    // @ts-expect-error text is not a Pong
    conn.close('bye')
    conn.reset(new Error('mine'))
  },
  end(conn) {
    expect<Equal<typeof conn, Conn<Ping, Pong, undefined>>>()
  },
})

serve({
  listen,
  codec: json<Ping>(line()),
  message(conn, ping) {
    expect<Equal<typeof ping, Ping>>()
    conn.write(ping)
  },
})

serve({
  listen,
  codec: map(
    line(),
    (text) => Number(text.toString()),
    (value: bigint) => `${value}`,
  ),
  message(conn, value) {
    expect<Equal<typeof value, number>>()
    conn.write(1n)
    // @ts-expect-error a number is received, a bigint is sent
    conn.write(value)
  },
})

const points = defineCodec({
  framing: fixed(8),
  decode: (from) => ({ x: from.i32(), y: from.i32() }),
  encode(point: { x: number; y: number }, to) {
    to.i32(point.x).i32(point.y)
  },
})
expect<Equal<typeof points, Codec<{ x: number; y: number }, { x: number; y: number }>>>()

serve({
  listen,
  codec: points,
  message(conn, { x, y }) {
    expect<Equal<typeof x, number>>()
    conn.write({ x: y, y: x })
  },
})

// A message of one of two shapes, or `undefined` if it is not complete yet.
const commands = defineCodec({
  framing: raw(),
  decode(from) {
    if (from.remaining < 1) return undefined
    return from.u8() === 0 ? { kind: 'get' as const } : { kind: 'set' as const, value: from.u8() }
  },
  encode(reply: 'ok' | 'no', to) {
    to.text(reply)
  },
})

serve({
  listen,
  codec: commands,
  message(conn, command) {
    if (command.kind === 'set') expect<Equal<typeof command.value, number>>()
    conn.write('ok')
    // @ts-expect-error no such reply
    conn.write('maybe')
  },
})

serve({
  listen,
  codec: varint(),
  message(_conn, frame) {
    expect<Equal<typeof frame, Buffer>>()
  },
})

// ---- a codec for each connection

serve({
  listen,
  codec: (peer) => {
    expect<Equal<typeof peer.remote, string>>()
    return json<Ping, Pong>(lengthField())
  },
  message(conn, ping) {
    expect<Equal<typeof ping, Ping>>()
    conn.write({ id: ping.id, at: 0 })
    // @ts-expect-error not a Pong
    conn.write({ id: ping.id })
  },
})

serve({
  listen,
  codec: () => points,
  message(_conn, point) {
    expect<Equal<typeof point, { x: number; y: number }>>()
  },
})

// ---- handlers may be async

serve({
  listen,
  async open(conn) {
    await conn.drained()
  },
  async message(conn, chunk) {
    await conn.flushed()
    expect<Equal<typeof chunk, Buffer>>()
  },
})

// ---- invalid options

// @ts-expect-error listen is needed
serve({ message() {} })

serve({
  listen,
  // @ts-expect-error no such balancer
  balance: 'random',
})

serve({
  listen,
  // @ts-expect-error no such option
  onMessage() {},
})

serve({
  listen,
  // @ts-expect-error no such loops
  loops: 'outline',
})

// @ts-expect-error no such width
lengthField({ bytes: 5 })

// @ts-expect-error json needs a codec with a framing
json({})
