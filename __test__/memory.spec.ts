import test, { type ExecutionContext } from 'ava'
import { lengthField, type Peer, type Reader, raw, serve, type Writer } from 'millrace'
import { memoryOf, WriterImpl } from '../lib/codec/writer-impl.js'
import { theEnvironment } from '../lib/runtime/environment.js'
import { connectTo } from './support/client.js'
import { bound, peer as datagramPeer } from './support/datagrams.js'
import { dial } from './support/dial.js'
import { gate, tally } from './support/gate.js'
import { arrayBuffers, arrayBuffersUpTo, freed, residentUpTo } from './support/memory.js'
import { freePath } from './support/paths.js'
import { client, peer, States } from './support/reconnect.js'
import { ANY, start } from './support/serve.js'

const LARGE = 64 << 20
const LITTLE = 4 << 20

/** Writes a large part of the message `refuse` before it refuses it. */
function encode(message: Uint8Array | string, writer: Writer): void {
  if (typeof message !== 'string') writer.bytes(message)
  else if (message !== 'refuse') writer.text(message)
  else {
    writer.bytes(new Uint8Array(LARGE))
    throw new TypeError('refused')
  }
}

const { framing } = lengthField({ max: 2 * LARGE })
const refusing = { framing, decode: (reader: Reader) => reader.bytes(reader.remaining), encode }

/** Writes what is refused, and expects that its bytes do not stay in memory. */
async function refuses(write: (message: string) => void, before: number): Promise<TypeError> {
  let thrown: unknown
  try {
    write('refuse')
  } catch (error) {
    thrown = error
  }
  await arrayBuffersUpTo(before + LITTLE)
  return thrown as TypeError
}

test.serial('a peer that a context keeps does not keep the closed connection', async (t) => {
  const peers: Peer[] = []
  const closed = gate<WeakRef<object>>()
  const server = await start(t, {
    context: (peer) => void peers.push(peer),
    close: (conn) => closed.open(new WeakRef(conn)),
  })
  const conn = await dial(t, { to: server.addresses[0] as string })
  conn.end()
  await freed(await closed.passed)
  t.is(peers.length, 1)
})

/** Opens and closes two servers on the default loops. Returns the groups of those loops. */
async function useDefaultLoops(t: ExecutionContext): Promise<WeakRef<object>[]> {
  const servers = [await serve({ listen: ANY }), await serve({ listen: ANY })] as const
  const [first, second] = servers.map((server) =>
    server.stats().loops.map(({ loop }) => theEnvironment().loops[loop]?.group as object),
  )
  t.deepEqual(first, second)
  const groups = [...new Set(first)].map((group) => new WeakRef(group))
  await servers[0].close()
  t.not(groups[0]?.deref(), undefined)
  await servers[1].close()
  return groups
}

test.serial('the default loops and their rings are freed after their last user', async (t) => {
  const groups = await useDefaultLoops(t)
  t.is(groups.length, 1)
  for (const group of groups) await freed(group)
  t.deepEqual(await useDefaultLoops(t).then((others) => others.length), 1)
})

test.serial('the bytes of a message that encode refuses do not stay in memory', async (t) => {
  const received = gate<Buffer>()
  const server = await start(t, {
    codec: refusing,
    message: (_conn, message) => received.open(message),
  })
  const conn = await dial(t, { to: server.addresses[0] as string, codec: refusing })
  const before = await arrayBuffers()
  const thrown = await refuses((message) => conn.write(message), before)
  t.is(thrown.message, 'refused')
  t.true(conn.write('accepted'))
  t.is(String(await received.passed), 'accepted')
})

test.serial('the bytes of a datagram that encode refuses do not stay in memory', async (t) => {
  const socket = await bound(t, { codec: { ...refusing, framing: raw().framing } })
  const other = await datagramPeer(t)
  const before = await arrayBuffers()
  const to = `127.0.0.1:${other.port}`
  const thrown = await refuses((message) => socket.send(message, to), before)
  t.is(thrown.message, 'refused')
  socket.send('accepted', to)
  t.is(String(await other.next()), 'accepted')
})

test.serial(
  'the bytes of a message that is refused for a client that waits do not stay',
  async (t) => {
    const server = await peer(t)
    const states = new States()
    const it = await client(t, { to: server.to, codec: refusing, state: states.note })
    await server.arrived.reaches(1)
    await server.stop()
    await states.of('waiting').reaches(1)
    const before = await arrayBuffers()
    const thrown = await refuses((message) => it.write(message), before)
    t.is(thrown.message, 'refused')
    const tooMuch = await refuses(() => it.write('x'.repeat(LARGE)), before)
    t.is((tooMuch as TypeError & { code?: string }).code, 'ERR_WRITE_BUFFER_FULL')
    t.is(it.queued, 0)
  },
)

/** Encodes so many bytes outside of a ring. Returns the memory that they were in. */
function encodedIn(writer: WriterImpl, bytes: number): ArrayBufferLike {
  writer.toScratch()
  writer.bytes(Buffer.alloc(bytes))
  const memory = memoryOf(writer).buffer
  writer.close()
  writer.releaseScratch()
  return memory
}

for (const bytes of [1, 32 << 10, 64 << 10, (64 << 10) + 4, 100_000, 128 << 10]) {
  test(`messages of ${bytes} bytes that find no room are encoded in the same memory`, (t) => {
    const writer = new WriterImpl()
    t.is(encodedIn(writer, bytes), encodedIn(writer, bytes))
  })
}

test('the memory of a message of more than 128 KiB that finds no room is not kept', (t) => {
  const writer = new WriterImpl()
  t.not(encodedIn(writer, (128 << 10) + 1), encodedIn(writer, (128 << 10) + 1))
  t.is(memoryOf(writer).length, 0)
})

if (process.platform === 'linux') {
  test.serial('what waited for peers that do not read goes back to the system', async (t) => {
    const clients = 200
    const waiting = gate()
    const closes = tally(clients)
    const block = Buffer.alloc(64 << 10)
    let written = 0
    const server = await start(t, {
      // The kernel takes about 200 KiB of one connection.
      listen: `unix://${freePath(t)}`,
      open(conn) {
        for (let count = 0; count < 20; count++) conn.write(block)
        if (++written === clients) waiting.open()
      },
      close: () => closes.hit(),
    })
    const before = process.memoryUsage.rss()
    const sockets = await Promise.all(
      Array.from({ length: clients }, () => connectTo(server.addresses[0])),
    )
    await waiting.passed
    t.true(process.memoryUsage.rss() > before + (100 << 20), 'most of it waits')
    for (const socket of sockets) socket.destroy()
    await closes.all
    await residentUpTo(before + (64 << 20))
  })
}
