/**
 * What ends a connection, over all combinations of how its messages are taken, what its user does, and
 * what its peer does. A connection that stays has a reason, which `whyItStays` names.
 */

import net from 'node:net'
import test from 'ava'
import { type Conn, type Server, serve } from 'millrace'
import { closed } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { lingerPassed } from './support/linger.js'
import { ANY, start } from './support/serve.js'

const TAKES = ['push', 'pull', 'nobody'] as const
const WAYS = ['nothing', 'end', 'close', 'destroy', 'reset', 'throw', 'promise'] as const
const PEERS = ['fin', 'rst', 'silence', 'trickle'] as const

const LINGER = 80

interface Case {
  readonly take: (typeof TAKES)[number]
  readonly way: (typeof WAYS)[number]
  readonly peer: (typeof PEERS)[number]
  readonly allowHalfOpen: boolean
  readonly isPaused: boolean
}

const CASES: readonly Case[] = TAKES.flatMap((take) =>
  WAYS.flatMap((way) =>
    PEERS.flatMap((peer) =>
      [false, true].flatMap((allowHalfOpen) =>
        [false, true].map((isPaused) => ({ take, way, peer, allowHalfOpen, isPaused })),
      ),
    ),
  ),
)

/** Why a connection does not end by itself; undefined if it does. */
function whyItStays({ take, way, peer, allowHalfOpen, isPaused }: Case): string | undefined {
  if (!['nothing', 'end', 'promise'].includes(way) || peer === 'rst') return undefined
  // After `lingerTimeout` without a pull it is closed.
  if (way === 'end' && take === 'nobody') return undefined
  if (peer !== 'fin') return 'the peer has not ended, and may do so later'
  if (way === 'promise') return 'a promise of a handler has not settled'
  if (take === 'nobody') return 'nobody has pulled its messages'
  if (isPaused) return 'it is paused, and a message waits'
  if (way === 'nothing' && allowHalfOpen) return 'our half stays until end() is called'
  return undefined
}

/** What the user does in `open`. */
function act(conn: Conn, { way, take, isPaused }: Case): unknown {
  if (isPaused) conn.pause()
  if (take === 'pull') {
    const pull = async () => {
      for await (const _ of conn);
    }
    pull().catch(() => {})
  }
  if (way === 'throw') throw new Error('mine')
  if (way === 'promise') return new Promise(() => {})
  if (way !== 'nothing') conn[way]()
  return undefined
}

/** What the peer does once the connection is open. Returns a function that stops it. */
function answer(socket: net.Socket, peer: Case['peer']): () => void {
  if (peer === 'fin') socket.end('a message')
  if (peer === 'rst') socket.resetAndDestroy()
  if (peer !== 'trickle') return () => {}
  const timer = setInterval(() => socket.write('x'), 5)
  return () => clearInterval(timer)
}

test('a connection ends by itself, unless there is a reason for it to stay', async (t) => {
  const loops = await start(t, {})
  const one = async (each: Case) => {
    const opened = gate()
    const ended = gate<Error | undefined>()
    const server: Server = await serve({
      listen: ANY,
      loops,
      lingerTimeout: LINGER,
      allowHalfOpen: each.allowHalfOpen,
      ...(each.take === 'push' ? { message() {} } : {}),
      open(conn) {
        opened.open()
        return act(conn, each)
      },
      close: (_conn, error) => ended.open(error),
    })
    const socket = net.connect({ port: server.port as number, allowHalfOpen: true })
    socket.resume().on('error', () => {})
    await opened.passed
    const stop = answer(socket, each.peer)
    const name = JSON.stringify(each)
    if (whyItStays(each) === undefined) {
      const code = codeOf(await ended.passed)
      t.true([undefined, 'ERR_LINGER_TIMEOUT', 'ECONNRESET', 'EPIPE'].includes(code), name)
      await server.close()
    } else {
      // The longest time that any other connection takes.
      for (let times = 0; times < 3; times++) await lingerPassed(LINGER, loops)
      t.is(server.connections, 1, name)
      await server.close({ timeout: 0 })
    }
    stop()
    socket.destroy()
    await closed(socket)
  }
  const rest = [...CASES]
  const worker = async () => {
    for (let each = rest.pop(); each !== undefined; each = rest.pop()) await one(each)
  }
  await Promise.all(Array.from({ length: 32 }, worker))
})
