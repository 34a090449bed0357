/** A read that stops though the kernel has more: at an urgent mark, and behind a descriptor that a peer passes. */

import test, { type ExecutionContext } from 'ava'
import { type Conn, line, pipe, toDuplex } from 'millrace'
import { connect } from './support/client.js'
import { Count } from './support/counts.js'
import { gate } from './support/gate.js'
import { HAS_PYTHON, MARKS, marked } from './support/marked-peer.js'
import { freePath } from './support/paths.js'
import { ONE, start } from './support/serve.js'
import { linux } from './support/system.js'

const MESSAGE = ['one\ntw', 'o\nthree\n'] as const
const ALL = MESSAGE.join('')

/** Text that comes in pieces, and the connection that it comes from. */
class Received {
  text = ''
  readonly #bytes = new Count()
  readonly #opened = gate<{ pause(): void }>()

  readonly open = (conn: Conn): void => {
    // The loop first sees all that there is, so that no event is still to come when it reads.
    conn.pause()
    this.#opened.open(conn)
  }

  readonly add = (piece: Buffer | string): void => {
    this.text += String(piece)
    for (const _ of String(piece)) this.#bytes.up()
  }

  get conn(): Promise<Conn> {
    return this.#opened.passed as Promise<Conn>
  }

  get all(): Promise<void> {
    return this.#bytes.reaches(ALL.length)
  }
}

type Listen = { path: string } | 'tcp://127.0.0.1:0'

/** Starts a server that gives what it receives to `got`. Returns it, and what begins to take the input. */
type Way = (
  t: ExecutionContext,
  listen: Listen,
  got: Received,
) => Promise<{ port: number; take(conn: Conn): unknown }>

const nothing = () => {}

const WAYS: Record<string, Way> = {
  'as it comes': async (t, listen, { open, add }) => {
    const message = (_: Conn, chunk: Buffer) => add(chunk)
    const { port } = await start(t, { listen, loops: ONE, open, message })
    return { port, take: nothing }
  },
  'as lines': async (t, listen, { open, add }) => {
    const { port } = await start(t, {
      listen,
      loops: ONE,
      codec: line(),
      open: (conn) => open(conn as unknown as Conn),
      message: (_, text) => add(`${text}\n`),
    })
    return { port, take: nothing }
  },
  'with for await': async (t, listen, { open, add }) => {
    const { port } = await start(t, { listen, loops: ONE, open })
    const take = async (conn: Conn) => {
      for await (const chunk of conn) add(chunk)
    }
    return { port, take }
  },
  'through a pipe': async (t, listen, { open, add }) => {
    const other = gate<Conn>()
    const server = await start(t, { listen, loops: ONE, open })
    // In one loop, which passes the bytes on by itself.
    const out = await start(t, { loops: server, open: (conn) => other.open(conn) })
    const socket = await connect(out.port)
    t.teardown(() => socket.destroy())
    socket.on('data', add)
    const end = await other.passed
    return { port: server.port, take: (conn) => void pipe(conn, end) }
  },
  'through a stream': async (t, listen, { open, add }) => {
    const { port } = await start(t, { listen, loops: ONE, open })
    return { port, take: (conn) => toDuplex(conn).on('error', nothing).on('data', add) }
  },
}

for (const mark of MARKS)
  for (const [name, way] of Object.entries(WAYS))
    (HAS_PYTHON ? linux : test.skip)(
      `what lies behind ${mark} is delivered without another byte: ${name}`,
      async (t) => {
        const path = freePath(t)
        const got = new Received()
        const isTcp = mark === 'urgent over TCP'
        const { port, take } = await way(t, isTcp ? 'tcp://127.0.0.1:0' : { path }, got)
        const peer = await marked(t, mark, isTcp ? port : path, MESSAGE)
        const conn = await got.conn
        // Two answers of the loop: before the second, it has taken all events.
        await conn.socketOptions()
        await conn.socketOptions()
        // It ends with the server, in the middle.
        Promise.resolve(take(conn)).catch(nothing)
        conn.resume()
        await got.all
        t.is(got.text, ALL)
        await peer.closed
      },
    )
