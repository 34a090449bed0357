import net from 'node:net'
import test from 'ava'
import type { Conn } from 'millrace'
import { closed, connect, read } from './support/client.js'
import { Count } from './support/counts.js'
import { LOOPS, start } from './support/serve.js'

const VARIANTS = [{ loops: LOOPS }, { loops: 3 }] as const

for (const { loops } of VARIANTS) {
  test(`with onFull 'wait' connections over maxConnections wait until one closes (loops: ${loops})`, async (t) => {
    const server = await start(t, {
      loops,
      maxConnections: 3,
      message: (conn, chunk) => void conn.write(chunk),
    })
    const sockets = await Promise.all(Array.from({ length: 9 }, () => connect(server.port)))
    // The kernel has accepted all of them: each may send, and is answered when its turn comes.
    let inside = 0
    let most = 0
    const all = sockets.map(async (socket) => {
      socket.write('hello')
      t.is((await read(socket, 5)).toString(), 'hello')
      most = Math.max(most, ++inside)
      // One more round while other connections are open too.
      socket.write('again')
      t.is((await read(socket, 5)).toString(), 'again')
      inside--
      socket.resume().end()
      await closed(socket)
    })
    await Promise.all(all)
    t.true(most <= 3)
    t.is(
      server.stats().loops.reduce((total, loop) => total + loop.opened, 0),
      9,
    )
  })

  test(`with onFull 'refuse' connections over maxConnections are closed without a call of open (loops: ${loops})`, async (t) => {
    const conns: Conn[] = []
    const opened = new Count()
    const ended = new Count()
    const server = await start(t, {
      loops,
      maxConnections: 2,
      onFull: 'refuse',
      open(conn) {
        conns.push(conn)
        opened.up()
      },
      message: (conn, chunk) => void conn.write(chunk),
      close: () => ended.up(),
    })
    const sockets = []
    for (let n = 1; n <= 2; n++) {
      sockets.push(await connect(server.port))
      await opened.reaches(n)
    }
    for (let n = 0; n < 5; n++) {
      const socket = net.connect(server.port, '127.0.0.1').resume()
      socket.on('error', () => {})
      await closed(socket)
    }
    t.is(server.connections, 2)
    sockets[0]?.resume().end()
    await ended.reaches(1)
    const next = await connect(server.port)
    next.write('hello')
    t.is((await read(next, 5)).toString(), 'hello')
    t.is(opened.value, 3)
  })

  test(`maxConnections counts the connections of all listeners together (loops: ${loops})`, async (t) => {
    const opened = new Count()
    const server = await start(t, {
      loops,
      listen: ['tcp://127.0.0.1:0', 'tcp://127.0.0.1:0'],
      maxConnections: 2,
      onFull: 'refuse',
      open: () => opened.up(),
      message() {},
    })
    const ports = server.addresses.map((address) => Number(address.split(':').pop()))
    for (const [at, port] of ports.entries()) {
      await connect(port)
      await opened.reaches(at + 1)
    }
    for (const port of ports) {
      const socket = net.connect(port, '127.0.0.1').resume()
      socket.on('error', () => {})
      await closed(socket)
    }
    t.is(opened.value, 2)
  })

  test(`a full server that closes also closes the waiting connections (loops: ${loops})`, async (t) => {
    const opened = new Count()
    const server = await start(t, {
      loops,
      maxConnections: 1,
      open: () => opened.up(),
      message() {},
    })
    const inside = await connect(server.port)
    await opened.reaches(1)
    const outside = await connect(server.port)
    inside.resume()
    outside.resume()
    await server.close()
    await Promise.all([closed(inside), closed(outside)])
    t.is(opened.value, 1)
  })
}
