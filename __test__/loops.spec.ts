import test, { type ExecutionContext } from 'ava'
import { type Conn, type Server, serve } from 'millrace'
import { closed, connect, read } from './support/client.js'
import { Count } from './support/counts.js'
import { CAN_COUNT, millraceThreadsOf } from './support/proc.js'

/** An echo server with these options. */
async function echo(options: { loops?: number | 'inline' | Server; listen?: string } = {}) {
  const conns: Conn[] = []
  const opened = new Count()
  const server = await serve({
    listen: 'tcp://127.0.0.1:0',
    ...options,
    open(conn) {
      conns.push(conn)
      opened.up()
    },
    message: (conn, chunk) => void conn.write(chunk),
  })
  const port = Number(server.addresses[0]?.split(':').pop())
  return { server, port, conns, opened }
}

async function checkEcho(t: ExecutionContext, port: number): Promise<void> {
  const socket = await connect(port)
  socket.write('ping')
  t.is((await read(socket, 4)).toString(), 'ping')
  socket.resume().end()
  await closed(socket)
}

const loopsOf = (server: Server) => server.stats().loops.map((each) => each.loop)

/** Fails unless exactly these threads of millrace run: one for each loop, and an acceptor for several loops. */
async function checkThreads(t: ExecutionContext, loops: number): Promise<void> {
  if (!CAN_COUNT) return
  const names = await millraceThreadsOf(loops > 1 ? loops + 1 : loops)
  const accepting = loops > 1 ? ['millrace-accept'] : []
  const expected = [...Array.from({ length: loops }, (_, n) => `millrace-${n}`), ...accepting]
  t.deepEqual(names.sort(), expected.sort())
}

// Serial, because all of them count the threads of this process.
for (const count of [1, 2, 5]) {
  test.serial(
    `loops: ${count} runs one thread for each loop, and they end with the server`,
    async (t) => {
      const { server, port } = await echo({ loops: count })
      t.is(server.stats().loops.length, count)
      await checkThreads(t, count)
      await checkEcho(t, port)
      await server.close()
      await checkThreads(t, 0)
    },
  )
}

test.serial("loops: 'inline' runs without a thread", async (t) => {
  const { server, port, conns } = await echo({ loops: 'inline' })
  t.is(server.stats().loops.length, 1)
  await checkThreads(t, 0)
  await checkEcho(t, port)
  t.is(conns[0]?.loop, loopsOf(server)[0])
  await server.close()
})

test.serial(
  'servers without a loops option share one group, which ends with the last of them',
  async (t) => {
    const one = await echo()
    const two = await echo()
    t.deepEqual(loopsOf(one.server), loopsOf(two.server))
    const count = loopsOf(one.server).length
    await checkThreads(t, count)
    await one.server.close()
    await checkThreads(t, count)
    await checkEcho(t, two.port)
    await two.server.close()
    await checkThreads(t, 0)
    const three = await echo()
    await checkEcho(t, three.port)
    await three.server.close()
  },
)

for (const loops of [1, 3, 'inline'] as const) {
  test.serial(
    `a server can borrow the loops of another server and outlive it (loops: ${loops})`,
    async (t) => {
      const owner = await echo({ loops })
      const borrower = await echo({ loops: owner.server })
      const numbers = loopsOf(owner.server)
      t.deepEqual(loopsOf(borrower.server), numbers)
      await checkEcho(t, owner.port)
      await checkEcho(t, borrower.port)
      await owner.server.close()
      await t.throwsAsync(connect(owner.port), { code: 'ECONNREFUSED' })
      await checkEcho(t, borrower.port)
      t.true(borrower.conns.every((conn) => numbers.includes(conn.loop)))
      await borrower.server.close()
      await checkThreads(t, 0)
    },
  )
}

test.serial('the loops of a closed server cannot be borrowed', async (t) => {
  const { server } = await echo({ loops: 1 })
  await server.close()
  await t.throwsAsync(echo({ loops: server }), { code: 'ERR_INVALID_OPTION' })
})

test.serial(
  'conn.loop is one of the loops of its server, and separate groups share no loop',
  async (t) => {
    const one = await echo({ loops: 2 })
    const two = await echo({ loops: 2 })
    for (const { port } of [one, two, one, two]) await checkEcho(t, port)
    for (const { server, conns } of [one, two]) {
      t.true(conns.every((conn) => loopsOf(server).includes(conn.loop)))
    }
    t.is(new Set([...loopsOf(one.server), ...loopsOf(two.server)]).size, 4)
    await Promise.all([one.server.close(), two.server.close()])
  },
)

test.serial('an environment has at most 128 loops, and the error says so', async (t) => {
  const most = await echo({ loops: 128 })
  await t.throwsAsync(echo({ loops: 1 }), { code: 'ERR_INVALID_OPTION', message: /128/ })
  await checkEcho(t, most.port)
  await most.server.close()
  const again = await echo({ loops: 2 })
  await checkEcho(t, again.port)
  await again.server.close()
  await checkThreads(t, 0)
})

test.serial(
  'a hundred servers that started and closed leave no thread and no loop number in use',
  async (t) => {
    for (let round = 0; round < 50; round++) {
      const servers = await Promise.all([echo({ loops: 2 }), echo({ loops: 'inline' })])
      t.true(servers.flatMap(({ server }) => loopsOf(server)).every((loop) => loop < 3))
      await Promise.all(servers.map(({ server }) => server.close()))
    }
    await checkThreads(t, 0)
  },
)
