import { once } from 'node:events'
import type net from 'node:net'
import test from 'ava'
import { listener, serve } from 'millrace'
import { theEnvironment } from '../lib/runtime/environment.js'
import { injectPanic } from '../native.cjs'
import { closed, connect, connectTo, read, readAll } from './support/client.js'
import { Count } from './support/counts.js'
import { freePath } from './support/paths.js'
import { millraceThreadsOf } from './support/proc.js'
import { ANY, LOOPS, start } from './support/serve.js'
import { CAN_SHARE } from './support/system.js'

async function ask(socket: net.Socket, text: string): Promise<boolean> {
  socket.write(text)
  return (await read(socket, text.length)).toString() === text
}

if (!CAN_SHARE) {
  test('reusePort is refused on systems that do not distribute connections', async (t) => {
    const options = { listen: ANY, loops: LOOPS, reusePort: true }
    await t.throwsAsync(serve(options), { code: 'ERR_UNSUPPORTED' })
  })
} else {
  const VARIANTS = [{ loops: LOOPS }, { loops: 3 }] as const

  test.serial('with reusePort each loop accepts on one port, without an acceptor', async (t) => {
    const loops = new Set<number>()
    const server = await start(t, {
      loops: 3,
      reusePort: true,
      open: (conn) => void loops.add(conn.loop),
      message: (conn, chunk) => void conn.write(chunk),
    })
    t.is(server.addresses.length, 1)
    t.is(server.listeners.length, 1)
    const sockets = await Promise.all(Array.from({ length: 100 }, () => connect(server.port)))
    for (const socket of sockets) t.true(await ask(socket, 'hello'))
    t.is(loops.size, 3)
    t.is(server.listeners[0]?.connections, 100)
    const threads = await millraceThreadsOf(3)
    t.false(threads.some((name) => name.startsWith('millrace-accept')))
  })

  for (const { loops } of VARIANTS) {
    test(`pause, resume and close of a listener with reusePort work on all loops (loops: ${loops})`, async (t) => {
      const opened = new Count()
      const server = await start(t, {
        loops,
        reusePort: true,
        open: () => opened.up(),
        message: (conn, chunk) => void conn.write(chunk),
      })
      const plain = await server.listen({ address: ANY, reusePort: false })
      const { port } = server
      const [shared] = server.listeners
      await shared?.pause()
      const waiting = await Promise.all(Array.from({ length: 30 }, () => connect(port)))
      const other = await connectTo(plain.address)
      for (let round = 0; round < 20; round++) t.true(await ask(other, 'hello'))
      t.is(opened.value, 1)
      for (const socket of waiting) socket.write('hello')
      await shared?.resume()
      for (const socket of waiting) t.is((await read(socket, 5)).toString(), 'hello')
      const closing = shared?.close()
      for (const socket of waiting) await closed(socket.resume())
      await closing
      await t.throwsAsync(connect(port), { code: 'ECONNREFUSED' })
      t.true(await ask(other, 'still'))
      // The port can be bound again, with and without reusePort.
      await (await server.listen(`tcp://127.0.0.1:${port}`)).close()
      await t.notThrowsAsync(
        server.listen({ address: `tcp://127.0.0.1:${port}`, reusePort: false }),
      )
    })

    test(`maxConnections counts the connections of all listeners, with and without reusePort (loops: ${loops})`, async (t) => {
      const server = await start(t, {
        loops,
        maxConnections: 3,
        listen: [ANY, { address: ANY, reusePort: true }, { address: ANY, reusePort: true }],
        message: (conn, chunk) => void conn.write(chunk),
      })
      let inside = 0
      let most = 0
      const all = Array.from({ length: 60 }, async (_, n) => {
        const socket = await connectTo(server.addresses[n % 3])
        t.true(await ask(socket, 'hello'))
        most = Math.max(most, ++inside)
        t.true(await ask(socket, 'again'))
        inside--
        socket.resume().end()
        await closed(socket)
      })
      await Promise.all(all)
      t.true(most <= 3)
      t.is(
        server.stats().loops.reduce((total, loop) => total + loop.opened, 0),
        60,
      )
    })

    test(`T18 a server that shares its port can close without losing a request (loops: ${loops})`, async (t) => {
      let count = 0
      const options = {
        loops,
        reusePort: true,
        message: (conn: { write(chunk: Buffer): boolean }, chunk: Buffer) => {
          count++
          conn.write(chunk)
        },
      }
      const first = await start(t, options)
      const second = await start(t, { ...options, listen: first.addresses[0] as string })
      t.deepEqual(first.addresses, second.addresses)
      const ended = new Count()
      const join = async () => (await connect(first.port)).on('end', () => ended.up())
      const sockets = await Promise.all(Array.from({ length: 64 }, join))
      for (const socket of sockets) t.true(await ask(socket, 'hello'))
      t.is(first.connections + second.connections, 64)
      t.true(first.connections > 0 && second.connections > 0)

      // A request on each connection, and some clients that connect right now: all are answered.
      for (const socket of sockets) socket.write('hello')
      const late = await Promise.all(Array.from({ length: 32 }, join))
      for (const socket of late) socket.write('hello')
      const gone = first.connections
      const closing = first.close()
      for (const socket of [...sockets, ...late]) t.is((await read(socket, 5)).toString(), 'hello')
      t.is(count, 64 + 64 + 32)
      // Only the clients of the first server see an end.
      for (const socket of [...sockets, ...late]) socket.resume()
      await closing
      await ended.reaches(gone)
      const next = await Promise.all(Array.from({ length: 20 }, () => connect(first.port)))
      for (const socket of next) t.true(await ask(socket, 'hello'))
      t.is(second.connections, 64 + 32 + 20 - ended.value)
      await t.throwsAsync(first.listen(ANY), { code: 'ERR_CLOSED' })
      t.is(first.close(), first.close())
    })
  }

  test('reusePort does not share a port that was bound without it', async (t) => {
    const server = await start(t, { message() {} })
    const options = { listen: server.addresses[0] as string, loops: 2, reusePort: true }
    await t.throwsAsync(serve(options), { code: 'EADDRINUSE' })
  })

  test('reusePort is ignored for a Unix socket as an option of the server, and refused in its spec', async (t) => {
    const server = await start(t, {
      loops: 2,
      reusePort: true,
      listen: `unix://${freePath(t)}`,
      message: (conn, chunk) => void conn.write(chunk),
    })
    t.true(await ask(await connectTo(server.addresses[0]), 'hello'))
    const address = `unix://${freePath(t)}`
    await t.throwsAsync(server.listen({ address, reusePort: true }), { code: 'ERR_INVALID_OPTION' })
  })

  test('the other loops of a shared port keep serving when a loop is lost', async (t) => {
    const lost = new Count()
    const server = await start(t, {
      loops: 3,
      reusePort: true,
      message: (conn, chunk) => void conn.write(chunk),
      error: () => lost.up(),
    })
    injectPanic(theEnvironment().handle, server.stats().loops[1]?.loop ?? 0)
    await lost.reaches(1)
    const sockets = await Promise.all(Array.from({ length: 40 }, () => connect(server.port)))
    for (const socket of sockets) t.true(await ask(socket, 'hello'))
    // Requests to all loops go to the live ones.
    await t.notThrowsAsync(server.listeners[0]?.pause() as Promise<void>)
    await t.notThrowsAsync(server.listeners[0]?.resume() as Promise<void>)
    for (const socket of sockets) socket.destroy()
    await t.notThrowsAsync(server.close())
  })

  test('dup of a listener with several sockets is refused', async (t) => {
    const server = await start(t, { loops: 2, reusePort: true, message() {} })
    await t.throwsAsync(server.dup(), { code: 'ERR_UNSUPPORTED' })
  })

  test('a listener with its own types works with reusePort and several loops', async (t) => {
    const own = listener({
      address: ANY,
      reusePort: true,
      context: () => 7,
      message: (conn, chunk) => void conn.write(`${conn.context}${chunk}`),
    })
    const server = await start(t, { loops: 2, listen: [own], message() {} })
    const socket = await connect(server.port)
    socket.write('!')
    t.is((await read(socket, 2)).toString(), '7!')
    socket.end()
    await once(socket.resume(), 'end')
    t.is((await readAll(socket)).length, 0)
  })
}
