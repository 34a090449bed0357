import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { type Conn, json, line } from 'millrace'
import { closed, connect, read } from './support/client.js'
import { Count } from './support/counts.js'
import { start } from './support/serve.js'

test('require() and import load the same module', async (t) => {
  const file = fileURLToPath(new URL('fixtures/require.cjs', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [file])
  t.deepEqual(stdout.trim().split('\n'), ['from CommonJS', 'the same'])
})

test('two servers in one process are independent of each other', async (t) => {
  const conns: Conn[] = []
  const opened = new Count()
  const one = await start(t, {
    open(conn) {
      conns.push(conn)
      opened.up()
    },
    message: (conn, chunk) => void conn.write(chunk),
  })
  const two = await start(t, {
    codec: json<{ n: number }>(line()),
    message(conn, message) {
      if (message.n === 3) throw new Error('from the handler')
      conn.write({ n: message.n + 1 })
    },
    close() {},
  })
  const [first, second] = await Promise.all([connect(one.port), connect(two.port)])
  await opened.reaches(1)
  for (let n = 0; n < 3; n++) {
    first.write('{"n":7}\n')
    second.write(`{"n":${n}}\n`)
    t.is((await read(first, 8)).toString(), '{"n":7}\n')
    t.is((await read(second, 8)).toString(), `{"n":${n + 1}}\n`)
  }
  t.is(one.get((conns[0] as Conn).id), conns[0])
  t.is(two.get((conns[0] as Conn).id), undefined)
  t.is(two.broadcast({ n: 0 }), 1)
  second.resume().write('{"n":3}\n')
  await closed(second)
  await two.close()
  first.write('still')
  t.is((await read(first, 5)).toString(), 'still')
  t.is(one.connections, 1)
})

/** A worker with its own echo server, which prefixes its name. Returns the worker and the port. */
async function worker(
  t: ExecutionContext,
  name: string,
): Promise<{ thread: Worker; port: number }> {
  const code = `
    import('millrace').then(async ({ serve }) => {
      const { parentPort, workerData: { name, loops } } = await import('node:worker_threads')
      const server = await serve({
        listen: 'tcp://127.0.0.1:0',
        loops,
        message: (conn, chunk) => conn.write(name + conn.id + ':' + chunk),
      })
      parentPort.postMessage(Number(server.addresses[0].split(':').pop()))
    })`
  const text = process.env.MILLRACE_TEST_LOOPS ?? '1'
  const workerData = { name, loops: text === 'inline' ? text : Number(text) }
  const thread = new Worker(code, { eval: true, execArgv: [], workerData })
  t.teardown(() => thread.terminate())
  const [port] = await once(thread, 'message')
  return { thread, port }
}

test('two workers and the main thread serve at the same time, each with its own ids', async (t) => {
  const [a, b] = await Promise.all([worker(t, 'a'), worker(t, 'b')])
  const main = await start(t, { message: (conn, chunk) => void conn.write(`m:${chunk}`) })
  const sockets = await Promise.all([connect(a.port), connect(b.port), connect(main.port)])
  for (let round = 0; round < 50; round++) {
    for (const socket of sockets) socket.write('x')
    const replies = await Promise.all([
      read(sockets[0], 4),
      read(sockets[1], 4),
      read(sockets[2], 3),
    ])
    t.deepEqual(replies.map(String), ['a1:x', 'b1:x', 'm:x'])
  }
})

test('a terminated worker loses its own connections and no others', async (t) => {
  const [a, b] = await Promise.all([worker(t, 'a'), worker(t, 'b')])
  const [one, two] = await Promise.all([connect(a.port), connect(b.port)])
  one.write('x')
  await read(one, 4)
  await a.thread.terminate()
  one.resume()
  await closed(one)
  two.write('x')
  t.is((await read(two, 4)).toString(), 'b1:x')
  await t.throwsAsync(connect(a.port), { code: 'ECONNREFUSED' })
  const again = await worker(t, 'c')
  const three = await connect(again.port)
  three.write('x')
  t.is((await read(three, 4)).toString(), 'c1:x')
})
