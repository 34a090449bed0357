/** A codec that is replaced once the loop has closed the connection: what it had delivered is cut all the same. */

import type net from 'node:net'
import test from 'ava'
import type { Conn } from 'millrace'
import { closed, connectTo } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { KINDS } from './support/kinds.js'
import { freePath } from './support/paths.js'
import { ONE, start } from './support/serve.js'
import { type Bytes, type BytesConn, chunks, lines, packet, packets } from './support/switching.js'
import { turns } from './support/turns.js'

const WORD: Bytes = {
  ...chunks,
  decode: (from) => (from.remaining < 6 ? undefined : from.bytes(6)),
}

/** Codecs by name, and the message `switch` as each of them has it on the wire. */
const CODECS: Record<string, readonly [codec: Bytes, first: Buffer]> = {
  lines: [lines, Buffer.from('switch\n')],
  packets: [packets, packet('switch')],
  'a raw stream': [WORD, Buffer.from('switch')],
}

/** Bytes that are whole lines, whole packets and whole words of six bytes, and what each codec makes of them. */
const REST = Buffer.concat([packet('one\n'), packet('two\n'), packet('six\n')])
const MESSAGES: Record<string, readonly string[]> = {
  lines: ['\0\x04one', '\0\x04two', '\0\x04six'],
  packets: ['one\n', 'two\n', 'six\n'],
  'a raw stream': ['\0\x04one\n', '\0\x04two\n', '\0\x04six\n'],
}

const PAIRS = Object.keys(CODECS).flatMap((before) =>
  Object.keys(CODECS).flatMap((after) => (before === after ? [] : [[before, after] as const])),
)

/** Sends bytes, and leaves so that the connection is lost once it is written to. */
async function sendAndLeave(socket: net.Socket, bytes: Buffer): Promise<void> {
  await new Promise((taken) => socket.write(bytes, taken))
  socket.destroy()
  await closed(socket)
}

for (const kind of KINDS) {
  for (const [before, after] of PAIRS) {
    const [codec, first] = CODECS[before] as (typeof CODECS)[string]
    const [next] = CODECS[after] as (typeof CODECS)[string]
    test(`a pull from a lost connection goes on from ${before} to ${after}, ${kind}`, async (t) => {
      const opened = gate<BytesConn>()
      const ended = gate<string | undefined>()
      const server = await start<Buffer>(t, {
        ...(kind === 'unix' ? { listen: { path: freePath(t) } } : {}),
        codec,
        open: opened.open,
        close: (_, error) => ended.open(codeOf(error)),
      })
      const socket = await connectTo(server.addresses[0])
      const conn = await opened.passed
      await sendAndLeave(socket, Buffer.concat([first, REST]))
      while (server.connections > 0) {
        conn.write('nobody')
        await turns(1)
      }
      const texts: string[] = []
      const error = await t.throwsAsync(async () => {
        for await (const message of conn) {
          texts.push(message.toString('latin1'))
          if (texts.length === 1) conn.codec = next
        }
      })
      t.is(codeOf(error), await ended.passed)
      t.deepEqual(texts, ['switch', ...(MESSAGES[after] as string[])])
    })
  }
}

test('a lost connection changes its codec at each message, and goes on at the byte at which it was', async (t) => {
  const opened = gate<BytesConn>()
  const server = await start<Buffer>(t, { codec: WORD, open: opened.open })
  const socket = await connectTo(server.addresses[0])
  const conn = await opened.passed
  // Behind the packet, `rd` is no whole packet.
  const bytes = Buffer.concat([Buffer.from('a line\n'), packet('a packet'), Buffer.from('a word')])
  await sendAndLeave(socket, Buffer.concat([Buffer.from('begin!'), bytes]))
  while (server.connections > 0) {
    conn.write('nobody')
    await turns(1)
  }
  const codecs = [lines, packets, WORD]
  const texts: string[] = []
  await t.throwsAsync(async () => {
    for await (const message of conn) {
      texts.push(message.toString())
      const next = codecs.shift()
      if (next !== undefined) conn.codec = next
    }
  })
  t.deepEqual(texts, ['begin!', 'a line', 'a packet', 'a word'])
})

for (const [before, after] of PAIRS) {
  const [codec, first] = CODECS[before] as (typeof CODECS)[string]
  const [next] = CODECS[after] as (typeof CODECS)[string]
  test(`a handler that goes on from ${before} to ${after} hears all that came before a reset`, async (t) => {
    const texts: string[] = []
    const ended = gate<string | undefined>()
    let socket: net.Socket | undefined
    const server = await start<Buffer>(t, {
      loops: ONE,
      codec,
      async message(conn: Conn<Buffer, Uint8Array | string>, message) {
        texts.push(message.toString('latin1'))
        if (texts.length === 2) conn.codec = next
        if (texts.length > 1) return
        // More than the peer reads, so that it resets the connection when it closes it.
        for (let count = 0; count < 500; count++) conn.write('unread'.repeat(150))
        await conn.flushed()
        socket?.write(Buffer.concat([first, REST]))
        socket?.destroy()
        // A loop of its own closes the connection meanwhile, and knows no count of bytes then.
        for (let looks = 0; ONE !== 'inline' && conn.bytesRead > 0 && looks < 1e7; looks++);
      },
      close: (_, error) => ended.open(codeOf(error)),
    })
    socket = await connectTo(server.addresses[0])
    socket.write(first)
    t.is(await ended.passed, 'ECONNRESET')
    t.deepEqual(texts, ['switch', 'switch', ...(MESSAGES[after] as string[])])
  })
}
