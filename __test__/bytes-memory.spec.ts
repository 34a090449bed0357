/** What a message of bytes keeps in memory. */

import { once } from 'node:events'
import net from 'node:net'
import test from 'ava'
import { bind, defineCodec, raw } from 'millrace'
import { bound } from './support/datagrams.js'
import { gate, tally } from './support/gate.js'
import { KINDS } from './support/kinds.js'
import { arrayBuffers, arrayBuffersUpTo } from './support/memory.js'
import { RING_BYTES, start } from './support/serve.js'
import { bodyOf, FRAMINGS, receive, SIZES, WAYS } from './support/sized-messages.js'

/** What a message may keep in memory, in its own lengths. */
const BOUND = 8
/** Of so many messages, one is kept. */
const KEPT = 50
/** For what else is in use: the rings of a server, slabs that are not full yet, and the buffers of a peer. */
const SLACK = 3 << 20

for (const framing of Object.keys(FRAMINGS)) {
  for (const way of WAYS) {
    test.serial(
      `a ${framing} message that is ${way} keeps 8 times its bytes at most`,
      async (t) => {
        for (const kind of KINDS) {
          const sizes = SIZES.flatMap((size) => [size, size, size])
          const bodies = sizes.map(bodyOf)
          const messages: Buffer[] = []
          await receive(t, framing, way, bodies, (message) => messages.push(message), kind)
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
