/** A TCP proxy in the forms that a user would write. Its client and its upstream are Node's. */

import { once } from 'node:events'
import net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { type Conn, connect, pipe, type Server } from 'millrace'
import { closed, connectHalfOpen, connect as connectSocket, readHalf } from './support/client.js'
import { Count } from './support/counts.js'
import { peer } from './support/dial.js'
import { bodyOf } from './support/framings.js'
import { gate } from './support/gate.js'
import { LOOPS, ONE, start } from './support/serve.js'

const MIB = 1 << 20

type Proxied = Conn<Buffer, Uint8Array | string, Side>
interface Side {
  other: Proxied | undefined
}

/** Pushes: each side's messages are written to the other side, which holds it back by pausing it. */
function pushing(t: ExecutionContext, to: string, loops: number | 'inline'): Promise<Server> {
  const half = {
    allowHalfOpen: true,
    highWaterMark: 64 * 1024,
    message(conn: Proxied, chunk: Buffer) {
      if (conn.context.other?.write(chunk) === false) conn.pause()
    },
    drain: (conn: Proxied) => conn.context.other?.resume(),
    end: (conn: Proxied) => conn.context.other?.end(),
    close(conn: Proxied, error?: Error) {
      if (error === undefined) conn.context.other?.close()
      else conn.context.other?.reset(error)
    },
  }
  return start<Buffer, Uint8Array | string, Side>(t, {
    loops,
    context: (): Side => ({ other: undefined }),
    ...half,
    async open(conn) {
      conn.pause()
      const context = (): Side => ({ other: conn })
      conn.context.other = await connect<Buffer, Uint8Array | string, Side>({
        to,
        loop: conn,
        context,
        ...half,
      })
      conn.resume()
    },
  }) as Promise<Server>
}

/** Pulls: each side is copied to the other one in a loop. */
function pulling(t: ExecutionContext, to: string, loops: number | 'inline'): Promise<Server> {
  const copy = async (from: Conn<Buffer>, to: Conn) => {
    for await (const chunk of from) if (!to.write(chunk)) await to.drained()
    to.end()
  }
  return start(t, {
    loops,
    allowHalfOpen: true,
    highWaterMark: 64 * 1024,
    async open(conn) {
      const other = await connect({
        to,
        loop: conn,
        allowHalfOpen: true,
        highWaterMark: 64 * 1024,
        close() {},
      })
      try {
        await Promise.all([copy(conn, other), copy(other, conn)])
      } catch {
        conn.reset()
        other.reset()
      }
    },
    close() {},
  })
}

/** Pipes: the two connections are joined. */
function piping(t: ExecutionContext, to: string, loops: number | 'inline'): Promise<Server> {
  return start(t, {
    loops,
    allowHalfOpen: true,
    async open(conn) {
      await pipe(conn, await connect({ to, loop: conn, allowHalfOpen: true, close() {} }))
    },
    close() {},
  })
}

/** Pipes between connections of different loops. */
async function pipingAcross(
  t: ExecutionContext,
  to: string,
  loops: number | 'inline',
): Promise<Server> {
  const others = await start(t, { loops: ONE })
  return start(t, {
    loops,
    allowHalfOpen: true,
    async open(conn) {
      await pipe(conn, await connect({ to, loops: others, allowHalfOpen: true, close() {} }))
    },
    close() {},
  })
}

const FORMS = { pushing, pulling, piping, pipingAcross }
const LOOP_COUNTS = LOOPS === 'inline' ? (['inline'] as const) : [1, 4]

for (const [name, form] of Object.entries(FORMS)) {
  for (const loops of LOOP_COUNTS) {
    /** A proxy in front of an upstream; returns its port. */
    const proxy = async (t: ExecutionContext, onSocket: (socket: net.Socket) => void) => {
      const server = await form(t, await peer(t, 'tcp', onSocket), loops)
      return server.port as number
    }

    test(`a proxy that is ${name} passes on a reply of 16 MiB after the client’s FIN (loops: ${loops})`, async (t) => {
      const reply = bodyOf(16 * MIB, 0)
      const port = await proxy(t, (socket) => {
        socket.resume().on('end', () => socket.end(reply))
      })
      const socket = await connectHalfOpen(port)
      socket.end('the question')
      t.true((await readHalf(socket)).equals(reply))
    })

    test(`a proxy that is ${name} goes on after the upstream has ended first (loops: ${loops})`, async (t) => {
      const got = gate<Buffer>()
      const upstream = net.createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('error', () => {})
        socket.end('hello and goodbye')
        void readHalf(socket).then(got.open)
      })
      upstream.listen(0, '127.0.0.1')
      await once(upstream, 'listening')
      t.teardown(() => upstream.close())
      const { port } = upstream.address() as net.AddressInfo
      const server = await form(t, `tcp://127.0.0.1:${port}`, loops)
      const socket = await connectHalfOpen(server.port as number)
      t.is((await readHalf(socket)).toString(), 'hello and goodbye')
      const rest = bodyOf(8 * MIB, 0)
      socket.end(rest)
      t.true((await got.passed).equals(rest))
      await closed(socket)
    })

    test(`a proxy that is ${name} serves 500 short connections whose clients half-close (loops: ${loops})`, async (t) => {
      const port = await proxy(t, (socket) => {
        const chunks: Buffer[] = []
        socket.on('data', (chunk: Buffer) => chunks.push(chunk))
        socket.on('end', () => socket.end(`reply to ${Buffer.concat(chunks)}`))
      })
      for (let round = 0; round < 5; round++) {
        await Promise.all(
          Array.from({ length: 100 }, async (_, n) => {
            const socket = await connectHalfOpen(port)
            socket.end(`${n}`)
            t.is((await readHalf(socket)).toString(), `reply to ${n}`)
          }),
        )
      }
    })

    test(`a proxy that is ${name} holds a fast sender back for a slow reader, both ways (loops: ${loops})`, async (t) => {
      const size = 32 * MIB
      const body = bodyOf(size, 0)
      const upstreamGot = gate<Buffer>()
      const port = await proxy(t, (socket) => {
        socket.write(body)
        socket.end()
        void readHalf(socket).then(upstreamGot.open)
      })
      const socket = await connectHalfOpen(port)
      socket.end(body)
      t.true((await readHalf(socket)).equals(body))
      t.true((await upstreamGot.passed).equals(body))
    })

    test(`a proxy that is ${name} passes a reset on, both ways (loops: ${loops})`, async (t) => {
      const arrived = new Count()
      const sockets: net.Socket[] = []
      const ended = new Count()
      const port = await proxy(t, (socket) => {
        sockets.push(socket)
        socket.on('close', () => ended.up())
        socket.resume().once('data', () => arrived.up())
      })
      const first = await connectSocket(port)
      first.write('x')
      await arrived.reaches(1)
      first.resetAndDestroy()
      await ended.reaches(1)
      const second = await connectSocket(port)
      second.write('x')
      await arrived.reaches(2)
      const reset = once(second.resume(), 'end').catch((error) => error.code)
      sockets[1]?.resetAndDestroy()
      t.is(await reset, 'ECONNRESET')
    })
  }
}
