/** An error that only tells that a connection has ended is no mistake of the user's, whatever told it. */

import type net from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { type Conn, connect as dialTo, pipe, raw, type ServeOptions, toDuplex } from 'millrace'
import { connectTo, lose } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { KINDS, type Kind, listenOn } from './support/kinds.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

/** Waits until a peer reads no more, and the kernel has bytes for it: over a Unix socket its end is a loss only then. */
async function stuck(conn: Conn, socket: net.Socket): Promise<void> {
  const isStuck = () =>
    socket.readableLength >= socket.readableHighWaterMark &&
    conn.bytesWritten - conn.buffered > socket.bytesRead
  while (!isStuck()) await turns(1)
}

type Call = (conn: Conn, other: Conn) => unknown

/** What a handler calls after its connection and another one were lost. All of it throws. */
const AFTER: Readonly<Record<string, [call: Call, code: RegExp]>> = {
  'toDuplex of the connection': [(conn) => toDuplex(conn), /^ERR_CLOSED$/],
  'toDuplex of another one': [(_conn, other) => toDuplex(other), /^ERR_CLOSED$/],
  'connect with the connection as loop': [(conn) => dialTo({ to: 1, loop: conn }), /^ERR_CLOSED$/],
  'connect with another one as loop': [
    (_, other) => dialTo({ to: 1, loop: other }),
    /^ERR_CLOSED$/,
  ],
  'for await over the connection': [(conn) => pull(conn), /^(ECONNRESET|EPIPE)$/],
  'for await over another one': [(_conn, other) => pull(other), /^(ECONNRESET|EPIPE)$/],
}

/** What a handler waits for while first its own connection is lost, and then another one. */
const BEFORE: typeof AFTER = {
  'a pending for await over another one': [(_conn, other) => pull(other), /^(ECONNRESET|EPIPE)$/],
  'an answer of another one that is pulled by hand': [
    (_conn, other) => other[Symbol.asyncIterator]().next(),
    /^(ECONNRESET|EPIPE)$/,
  ],
}

/** What a handler calls after its connection was lost, if our half of another one has ended. */
const HALF_ENDED: typeof AFTER = {
  'pipe to one whose half has ended': [(conn, other) => pipe(conn, other), /^ERR_CLOSED$/],
  'toDuplex of one whose half has ended': [(_conn, other) => toDuplex(other), /^ERR_CLOSED$/],
}

/** What a handler calls after the end of its own half. */
const OWN_HALF: typeof AFTER = {
  'pipe from a connection': [(conn, other) => pipe(conn, other), /^ERR_CLOSED$/],
  'pipe to a connection': [(conn, other) => pipe(other, conn), /^ERR_CLOSED$/],
  'toDuplex of a connection': [(conn) => toDuplex(conn), /^ERR_CLOSED$/],
}

async function pull(conn: Conn): Promise<void> {
  for await (const _ of conn) {
    // Nothing comes.
  }
}

/** Two connections of a server. The handler `open` of the second calls `call`, which is to throw. */
async function setUp(
  t: ExecutionContext,
  kind: Kind,
  call: Call,
  handlers: Partial<ServeOptions<Buffer, Uint8Array | string, undefined>>,
) {
  const told: unknown[] = []
  const tell = (error: Error) => void told.push(codeOf(error) ?? error)
  process.on('warning', tell)
  t.teardown(() => process.off('warning', tell))
  const opened: Conn[] = []
  const begun = gate<[conn: Conn, other: Conn]>()
  const thrown = gate<string>()
  const server = await start(t, {
    listen: listenOn(t, kind),
    async open(conn) {
      opened.push(conn)
      // More than the peer reads.
      conn.write(Buffer.alloc(8 << 20))
      const [other] = opened
      if (other === undefined || other === conn) return
      begun.open([conn, other])
      try {
        await call(conn, other)
        thrown.open('nothing')
      } catch (error) {
        thrown.open(String(codeOf(error)))
        throw error
      }
    },
    ...('error' in handlers ? { error: tell } : {}),
  })
  const there = async (count: number) => {
    while (server.connections !== count) await turns(1)
  }
  const sockets: net.Socket[] = []
  sockets.push(await connectTo(server.addresses[0]))
  await there(1)
  sockets.push(await connectTo(server.addresses[0]))
  const [otherSocket, socket] = sockets as [net.Socket, net.Socket]
  t.teardown(() => {
    for (const each of sockets) each.destroy()
  })
  const [conn, other] = await begun.passed
  await stuck(conn, socket)
  await stuck(other, otherSocket)
  return { told, there, thrown: thrown.passed, socket, otherSocket, conn, other }
}

for (const kind of KINDS) {
  for (const [where, handlers] of [
    ['a warning', {}],
    ['the handler error', { error() {} }],
  ] as const) {
    for (const [what, [call, code]] of Object.entries(AFTER)) {
      test.serial(`${what}, both lost, is not told to ${where}: ${kind}`, async (t) => {
        const lost = gate()
        const late: Call = (conn, other) => lost.passed.then(() => call(conn, other))
        const { socket, otherSocket, there, thrown, told } = await setUp(t, kind, late, handlers)
        for (const each of [socket, otherSocket]) lose(each)
        await there(0)
        lost.open()
        t.regex(await thrown, code)
        await turns(2)
        t.deepEqual(told, [])
      })
    }

    for (const [what, [call, code]] of Object.entries(BEFORE)) {
      test.serial(`${what}, both lost, is not told to ${where}: ${kind}`, async (t) => {
        const { socket, otherSocket, there, thrown, told } = await setUp(t, kind, call, handlers)
        lose(socket)
        await there(1)
        lose(otherSocket)
        t.regex(await thrown, code)
        await turns(2)
        t.deepEqual(told, [])
      })
    }

    for (const [what, [call, code]] of Object.entries(HALF_ENDED)) {
      test.serial(`${what}, after a loss, is not told to ${where}: ${kind}`, async (t) => {
        const lost = gate()
        const late: Call = (conn, other) => lost.passed.then(() => call(conn, other))
        const { socket, there, thrown, told, other } = await setUp(t, kind, late, handlers)
        other.end()
        lose(socket)
        await there(1)
        lost.open()
        t.regex(await thrown, code)
        await turns(2)
        t.deepEqual(told, [])
      })
    }

    for (const [what, [call, code]] of Object.entries(OWN_HALF)) {
      test.serial(`${what} that has ended its half is not told to ${where}: ${kind}`, async (t) => {
        const ended: Call = async (conn, other) => {
          conn.end()
          await call(conn, other)
        }
        const { socket, there, thrown, told } = await setUp(t, kind, ended, handlers)
        t.regex(await thrown, code)
        // What waits is still sent, so that the end is a loss.
        lose(socket)
        await there(1)
        await turns(2)
        t.deepEqual(told, [])
      })
    }
  }
}

test.serial(
  'an error that a decode has thrown is no end, also when a pull has thrown it',
  async (t) => {
    const mine = Object.assign(new Error('mine'), { code: 'MINE' })
    const pulled = gate<unknown>()
    const codec = {
      ...raw(),
      decode: () => {
        throw mine
      },
    }
    const first = await start(t, {
      codec,
      open: (conn) => pull(conn).catch(pulled.open),
      error() {},
    })
    const socket = await connectTo(first.addresses[0])
    socket.write('x')
    t.is(await pulled.passed, mine)
    const late: Call = async () => {
      await lost.passed
      throw mine
    }
    const lost = gate()
    const second = await setUp(t, 'tcp', late, { error() {} })
    lose(second.socket)
    await second.there(1)
    lost.open()
    t.is(await second.thrown, 'MINE')
    await turns(2)
    t.deepEqual(second.told, ['MINE'])
    socket.destroy()
  },
)
