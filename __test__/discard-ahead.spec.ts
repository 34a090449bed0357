/** Bytes that are to be dropped and have not come yet, when somebody else takes over the input: they are dropped all the same. */

import type { Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { pipe, raw, toDuplex } from 'millrace'
import { connect, connectTo, readHalf } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { KINDS } from './support/kinds.js'
import { freePath } from './support/paths.js'
import { ANY, LOOPS, ONE, start } from './support/serve.js'
import { type Bytes, type BytesConn, chunks, lines, packet, packets } from './support/switching.js'

const DROPPED = 300

/** Two bytes for a length, which is the message, and so many bytes that are dropped. */
const skipping: Bytes = {
  ...raw(),
  decode(from) {
    if (from.remaining < 2) return undefined
    const length = from.bytes(2)
    from.discard(length.readUInt16BE())
    return length
  },
}

/** The bytes that are dropped would be frames of each of the codecs that follow. */
const HEAD = Buffer.concat([Buffer.from([1, 44]), Buffer.from('\0\x01\n'.repeat(100), 'latin1')])

/** How many bytes are sent at a time. */
const CUTS = { 'at once': 1000, 'cut among them': 100, 'byte by byte': 1 } as const

async function send(socket: Socket, stream: Buffer, cut: number): Promise<void> {
  socket.setNoDelay?.(true)
  for (let at = 0; at < stream.length; at += cut)
    await new Promise((resolve) => socket.write(stream.subarray(at, at + cut), resolve))
  socket.end()
}

interface Run {
  readonly kind: 'tcp' | 'unix'
  readonly isPulled: boolean
  readonly cut: number
  readonly stream: Buffer
  take(conn: BytesConn): void
  /** Whether nobody pulls behind the first message. */
  readonly leaves?: boolean
}

/** Sends a stream to a server that lets somebody else take over at the first message. */
async function run(t: ExecutionContext, { kind, isPulled, cut, stream, take, leaves }: Run) {
  const messages: string[] = []
  const ended = gate<string | undefined>()
  const onMessage = (conn: BytesConn, message: Buffer) => {
    messages.push(message.toString('latin1'))
    if (messages.length === 1) take(conn)
  }
  const server = await start<Buffer, Uint8Array | string>(t, {
    listen: kind === 'tcp' ? ANY : { path: freePath(t) },
    codec: skipping,
    async open(conn) {
      if (!isPulled) return
      for await (const message of conn) {
        onMessage(conn, message)
        if (leaves) return
      }
    },
    ...(isPulled ? {} : { message: onMessage }),
    close: (_conn, error) => ended.open(codeOf(error)),
  })
  const socket = await connectTo(server.addresses[0])
  socket.resume()
  await send(socket, stream, cut)
  const code = await ended.passed
  socket.destroy()
  return { messages: messages.slice(1), code }
}

for (const kind of KINDS) {
  for (const isPulled of [false, true]) {
    for (const [name, cut] of Object.entries(CUTS)) {
      const how = `${kind}, ${isPulled ? 'pulled' : 'pushed'}, ${name}`

      test(`another framing begins behind the bytes that are dropped: ${how}`, async (t) => {
        for (const [next, wire] of [
          [packets, packet('one\n')],
          [lines, Buffer.from('one\n\n')],
        ] as const) {
          const stream = Buffer.concat([HEAD, wire, wire])
          for (const take of [
            (conn: BytesConn) => {
              conn.codec = next
            },
            (conn: BytesConn) => {
              for (const each of [lines, packets, chunks, next]) conn.codec = each
            },
            (conn: BytesConn) => {
              conn.pause()
              conn.codec = next
              setImmediate(() => conn.resume())
            },
          ]) {
            const { messages, code } = await run(t, { kind, isPulled, cut, stream, take })
            const wanted = next === packets ? ['one\n', 'one\n'] : ['one', '', 'one', '']
            t.deepEqual(messages, wanted)
            t.is(code, undefined)
          }
        }
      })

      test(`another raw codec begins behind the bytes that are dropped: ${how}`, async (t) => {
        const take = (conn: BytesConn) => {
          conn.codec = chunks
        }
        const stream = Buffer.concat([HEAD, Buffer.from('one\n')])
        const { messages, code } = await run(t, { kind, isPulled, cut, stream, take })
        t.is(messages.join(''), 'one\n')
        t.is(code, undefined)
      })

      test(`a stream that ends among the bytes that are dropped ends in an error, whoever has taken over: ${how}`, async (t) => {
        for (const next of [packets, chunks]) {
          const take = (conn: BytesConn) => {
            conn.codec = next
          }
          const stream = HEAD.subarray(0, DROPPED - 50)
          const { messages, code } = await run(t, { kind, isPulled, cut, stream, take })
          t.deepEqual(messages, [])
          t.is(code, 'ERR_FRAME_INCOMPLETE')
        }
      })

      test(`a stream of Node begins behind the bytes that are dropped: ${how}`, async (t) => {
        const got = gate<string>()
        const take = (conn: BytesConn) => {
          const stream = toDuplex(conn)
          readHalf(stream).then((bytes) => got.open(bytes.toString()))
        }
        const stream = Buffer.concat([HEAD, Buffer.from('one\n')])
        await run(t, { kind, isPulled, cut, stream, take, leaves: true })
        t.is(await got.passed, 'one\n')
      })
    }
  }
}

for (const loops of LOOPS === 'inline' ? [ONE] : [ONE, 2]) {
  for (const [name, cut] of Object.entries(CUTS)) {
    test(`a pipe begins behind the bytes that are dropped: ${loops} loops, ${name}`, async (t) => {
      const conns: BytesConn[] = []
      const opened = gate()
      const server = await start<Buffer, Uint8Array | string>(t, {
        loops,
        codec: skipping,
        open(conn) {
          conns.push(conn)
          opened.open()
        },
        message: (conn) => pipe(conn, conns[0] as BytesConn).then(() => {}),
      })
      const one = await connect(server.port, { allowHalfOpen: true })
      const got = readHalf(one)
      await opened.passed
      const other = await connect(server.port)
      await send(other, Buffer.concat([HEAD, Buffer.from('one\n')]), cut)
      t.is((await got).toString(), 'one\n')
      one.destroy()
      other.destroy()
    })
  }
}
