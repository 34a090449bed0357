/** A codec that replaces one with another framing: the stream is cut elsewhere, from the first byte that was not dealt with. */

import type { Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { type Conn, raw } from 'millrace'
import { connectTo, readHalf } from './support/client.js'
import { type Bytes, bodyOf, FRAMINGS } from './support/framings.js'
import { codeOf, gate } from './support/gate.js'
import { KINDS, type Kind, listenOn } from './support/kinds.js'
import { start } from './support/serve.js'

/** A way to cut a stream, and the bytes of some messages. */
interface Way {
  readonly name: string
  readonly codec: Bytes
  readonly bodies: readonly Buffer[]
  wire(body: Buffer): Buffer
}

/** The longest frame: none of these messages is over it. */
const MAX = 10_000

const RAW: Way = {
  name: 'raw',
  codec: {
    ...raw(),
    decode: (from) => (from.remaining < 700 ? undefined : from.bytes(700)),
  },
  bodies: [1, 2, 3].map((from) => bodyOf(700, from)),
  wire: (body) => body,
}

const NAMES = [
  'line',
  'delimiter of five bytes',
  'fixed',
  'lengthField of 2 bytes, little-endian',
  'lengthField with six bytes before the body, not stripped',
  'varint',
  'varint behind a byte, not stripped',
]

const WAYS: readonly Way[] = [
  RAW,
  ...NAMES.map((name): Way => {
    const framing = FRAMINGS.find((one) => one.name === name)
    if (framing === undefined) throw new Error(name)
    return {
      name,
      codec: { ...framing.codec(MAX), switchable: true },
      // The last one is larger than a record of a ring of 4 KiB.
      bodies: [5, 300, 3000].map((size, from) => bodyOf(framing.size ?? size, from)),
      wire: (body) => framing.wire(body),
    }
  }),
]

async function send(socket: Socket, stream: Buffer, byBytes: boolean): Promise<void> {
  socket.setNoDelay()
  if (!byBytes) {
    socket.end(stream)
    return
  }
  // Not all of it byte by byte, which would take too long: what matters is around the switches.
  for (let at = 0; at < stream.length; ) {
    const size = at % 1000 < 40 ? 1 : 173
    await new Promise((resolve) => socket.write(stream.subarray(at, at + size), resolve))
    at += size
  }
  socket.end()
}

/** Serves echoes whose codec is replaced at the messages whose number `next` knows. */
async function serveEcho(
  t: ExecutionContext,
  codec: Bytes,
  next: (count: number) => Bytes | undefined,
  { kind, isPulled }: { kind: Kind; isPulled: boolean },
) {
  const ended = gate<string | undefined>()
  const messages: Buffer[] = []
  const take = (conn: Conn<Buffer, Uint8Array | string>, message: Buffer) => {
    messages.push(Buffer.from(message))
    conn.write(message)
    const chosen = next(messages.length)
    if (chosen !== undefined) conn.codec = chosen
  }
  const pull = async (conn: Conn<Buffer, Uint8Array | string>) => {
    for await (const message of conn) take(conn, message)
  }
  const server = await start(t, {
    listen: listenOn(t, kind),
    codec,
    ...(isPulled ? { open: (conn) => void pull(conn).catch(() => {}) } : { message: take }),
    close: (_conn, error) => ended.open(codeOf(error)),
  })
  return { server, socket: await connectTo(server.addresses[0]), messages, ended: ended.passed }
}

for (const first of WAYS) {
  for (const second of WAYS) {
    if (first === second) continue
    for (const isPulled of [false, true]) {
      test.serial(
        `${first.name} goes on as ${second.name} and back: ${isPulled ? 'pulled' : 'pushed'}`,
        async (t) => {
          const parts = [
            ...first.bodies.map((body) => first.wire(body)),
            ...second.bodies.map((body) => second.wire(body)),
            ...first.bodies.map((body) => first.wire(body)),
          ]
          const stream = Buffer.concat(parts)
          for (const kind of KINDS) {
            for (const byBytes of [false, true]) {
              const { server, socket, messages, ended } = await serveEcho(
                t,
                first.codec,
                (count) => (count === 3 ? second.codec : count === 6 ? first.codec : undefined),
                { kind, isPulled },
              )
              const reply = readHalf(socket)
              await send(socket, stream, byBytes)
              t.deepEqual(await reply, stream)
              t.is(messages.length, parts.length)
              t.is(await ended, undefined)
              socket.destroy()
              // Not at the end of the test: an environment has only so many loops.
              await server.close()
            }
          }
        },
      )
    }
  }
}

for (const framing of FRAMINGS.filter(
  ({ most, size, name }) => most >= 3000 && size === undefined && name !== 'raw',
)) {
  test(`bytes that a raw codec changes where they are stay as they came, behind ${framing.name}`, async (t) => {
    const body = framing.wire(bodyOf(3000, 17))
    const rest = bodyOf(500, 18)
    const all = Buffer.concat([body, rest])
    const seen = gate()
    const got = gate<Buffer>()
    /** Takes a mask off all bytes that are here, each time that it looks. */
    const masked: Bytes = {
      ...raw(),
      decode(from) {
        const bytes = from.bytes(from.remaining)
        for (let at = 0; at < bytes.length; at++) bytes[at] = (bytes[at] as number) ^ 0x80
        if (bytes.length < all.length) seen.open()
        return bytes.length < all.length ? undefined : bytes
      },
    }
    const first = framing.wire(bodyOf(10, 1))
    const server = await start<Buffer, Uint8Array | string>(t, {
      codec: { ...framing.codec(MAX), switchable: true },
      async message(conn, message) {
        if (conn.codec === masked) {
          got.open(message)
          return
        }
        // The loop has the next frame too, which waits here while the connection is paused.
        for (let look = 0; look < 1e6 && conn.bytesRead < first.length + body.length; look++);
        conn.pause()
        for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
        conn.codec = masked
        conn.resume()
      },
    })
    const socket = await connectTo(server.addresses[0])
    socket.write(Buffer.concat([first, body]))
    await seen.passed
    socket.write(rest)
    t.true((await got.passed).equals(all.map((byte) => byte ^ 0x80)))
    socket.destroy()
  })
}
