/** Datagrams and streams on the same loops: proxies between them, and each undisturbed by the other. */

import test from 'ava'
import { connect, lengthField, line } from 'millrace'
import { closed, connectTo, read } from './support/client.js'
import { Count } from './support/counts.js'
import { bound, peer } from './support/datagrams.js'
import { gate } from './support/gate.js'
import { ANY, LOOPS, ONE, start } from './support/serve.js'

/** One loop, and several. */
const VARIANTS = LOOPS === 'inline' ? ([LOOPS] as const) : ([1, 3] as const)

/** A client's request in a round: its own bytes, in many lengths. */
function question(client: number, round: number): Buffer {
  const length = 2 + ((client * 97 + round * 61) % 800)
  return Buffer.from(Array.from({ length }, (_, at) => (at * 7 + client * 31 + round) & 0xff))
}

/** The backend's answer to a request. */
function answer(asked: Buffer): Buffer {
  return Buffer.from(asked.map((byte) => byte ^ 0xa5)).reverse()
}

for (const loops of VARIANTS) {
  for (const kind of ['udp', 'tcp'] as const) {
    test(`T25 datagrams are proxied to a ${kind} backend on the same loops, and each answer reaches its peer (loops: ${loops})`, async (t) => {
      const framed = lengthField({ bytes: 2 })
      const backend =
        kind === 'udp'
          ? (
              await bound(t, {
                loops: ONE,
                message: (socket, asked, info) => void socket.send(answer(asked), info),
              })
            ).address
          : ((
              await start(t, {
                loops: ONE,
                codec: framed,
                message: (conn, asked) => void conn.write(answer(asked)),
              })
            ).addresses[0] as string)
      // Everything here uses the loops of this server.
      const owner = await start(t, { loops })
      const to = async (give: (bytes: Buffer) => void): Promise<(bytes: Buffer) => void> => {
        if (kind === 'udp') {
          const socket = await connect({
            to: backend as `udp://${string}`,
            loops: owner,
            message: (_, bytes) => give(bytes),
          })
          t.teardown(() => socket.close())
          return (bytes) => void socket.send(bytes)
        }
        const conn = await connect({
          to: backend,
          loops: owner,
          codec: framed,
          message: (_: unknown, bytes: Buffer) => give(bytes),
        })
        t.teardown(() => conn.destroy())
        return (bytes) => void conn.write(bytes)
      }
      const ways = new Map<string, Promise<(bytes: Buffer) => void>>()
      const proxy = await bound(t, {
        loops: owner,
        async message(socket, asked, info) {
          // The handler keeps its own copy across the await.
          const bytes = Buffer.from(asked)
          let way = ways.get(info.remote)
          if (way === undefined) {
            way = to((answered) => void socket.send(answered, info))
            ways.set(info.remote, way)
          }
          ;(await way)(bytes)
        },
      })
      const clients = Array.from({ length: 10 }, async (_, at) => {
        const client = await peer(t)
        for (let round = 0; round < 20; round++) {
          const asked = question(at, round)
          t.deepEqual(await client.ask(asked, proxy.port), answer(asked))
        }
      })
      await Promise.all(clients)
      t.is(ways.size, 10)
    })
  }

  test(`streams work, and their listeners and server close, while datagrams flood the same loops (loops: ${loops})`, async (t) => {
    const { passed, open } = gate()
    const server = await start(t, {
      loops,
      listen: [ANY, ANY],
      codec: line(),
      async message(conn, text) {
        if (String(text) === 'wait') await passed
        conn.write(text)
      },
    })
    const socket = await bound(t, {
      loops: server,
      message: (socket, message, info) => void socket.send(message, info),
    })
    const flooder = await peer(t)
    let isOver = false
    const flood = (async () => {
      while (!isOver) {
        for (let at = 0; at < 30; at++) flooder.send(Buffer.alloc(500, at), socket.port)
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    const [first, second] = server.listeners
    const rounds = new Count()
    const leaving = new Set<string>()
    const talk = async (address: string, client: number) => {
      const stream = await connectTo(address)
      for (let round = 0; !leaving.has(address); round++) {
        const sent = Buffer.from(`${question(client, round).toString('hex')}\n`)
        stream.write(sent)
        t.deepEqual(await read(stream, sent.length), sent)
        rounds.up()
      }
      return stream
    }
    const talks = server.addresses.map((address) => [1, 2, 3].map((at) => talk(address, at)))
    await rounds.reaches(60)
    const waits = await connectTo(first?.address as string)
    waits.write('wait\n')
    leaving.add(first?.address as string)
    for (const stream of await Promise.all(talks[0] ?? [])) {
      stream.resume().end()
      await closed(stream)
    }
    const closing = first?.close()
    const before = rounds.value
    await rounds.reaches(before + 60)
    await t.throwsAsync(connectTo(first?.address as string), { code: 'ECONNREFUSED' })
    open()
    t.is((await read(waits, 5)).toString(), 'wait\n')
    await closed(waits.resume())
    await closing
    leaving.add(second?.address as string)
    const last = await Promise.all(talks[1] ?? [])
    const ended = server.close()
    for (const stream of last) await closed(stream.resume())
    await ended
    isOver = true
    await flood
    // The socket keeps its loops until it is closed itself.
    const client = await peer(t)
    let isHeard = false
    const heard = client.next().then((bytes) => {
      isHeard = true
      return String(bytes)
    })
    // The rest of the flood may leave no room for the first ones.
    while (!isHeard) {
      client.send('still here', socket.port)
      await new Promise((resolve) => setImmediate(resolve))
    }
    t.is(await heard, 'still here')
    t.true(socket.stats().received > 60)
  })
}
