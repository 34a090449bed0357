/** Connects for specs, with the loops and rings that the run asks for, and makes their peers. */

import { once } from 'node:events'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import {
  type Client,
  type Conn,
  type ConnectOptions,
  connect,
  type ReconnectingOptions,
} from 'millrace'
import type { Kind } from './kinds.js'
import { LOOPS, RING_BYTES, start } from './serve.js'

/** The options with the loops of this run, unless the spec names others. */
function onLoops<T extends { loops?: unknown; loop?: unknown }>(options: T): T {
  const isNamed = options.loops !== undefined || options.loop !== undefined
  return isNamed ? options : { loops: LOOPS, ringBytes: RING_BYTES, ...options }
}

/** A connection, destroyed when the test ends. */
export async function dial<In = Buffer, Out = Uint8Array | string, Data = undefined>(
  t: ExecutionContext,
  options: ConnectOptions<In, Out, Data>,
): Promise<Conn<In, Out, Data>> {
  const conn = await connect<In, Out, Data>(onLoops(options))
  t.teardown(() => conn.destroy())
  return conn
}

/** A reconnecting client, destroyed when the test ends. */
export async function redial<In = Buffer, Out = Uint8Array | string, Data = undefined>(
  t: ExecutionContext,
  options: ReconnectingOptions<In, Out, Data>,
): Promise<Client<In, Out, Data>> {
  const client = await connect<In, Out, Data>(onLoops(options))
  t.teardown(() => client.destroy())
  return client
}

let paths = 0

/** A path for a Unix socket of this test. */
export function path(): string {
  return join(tmpdir(), `millrace-${process.pid}-${paths++}.sock`)
}

/** Starts a peer made with Node on a TCP port or a Unix path, until `until` resolves. Returns its address. */
export async function peer(
  t: ExecutionContext,
  kind: Kind,
  onSocket: (socket: net.Socket) => void,
  options: { until?: Promise<void> } = {},
): Promise<string> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  })
  if (kind === 'unix') server.listen(path())
  else server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  void options.until?.then(() => server.close())
  const address = server.address()
  if (typeof address === 'string') return `unix://${address}`
  return `tcp://127.0.0.1:${(address as net.AddressInfo).port}`
}

/**
 * A port that nobody listens on. It is below those that the system chooses for others, which could choose it
 * as soon as it is free: specs run side by side.
 */
export async function deadPort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    const server = net.createServer().listen(port)
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** A listener that never accepts and whose backlog is full: on Linux new clients get no answer. */
export async function blackhole(
  t: ExecutionContext,
  host: string = '127.0.0.1',
  port: number = 0,
): Promise<number> {
  const where = host.includes(':') ? `[${host}]` : host
  const listen = { address: `tcp://${where}:${port}`, backlog: 1 }
  const server = await start(t, { listen, message() {} })
  await server.listeners[0]?.pause()
  // The kernel holds one more than the backlog says.
  for (let at = 0; at < 2; at++) {
    const filling = net.connect({ host, port: server.port })
    filling.on('error', () => {})
    await once(filling, 'connect')
    t.teardown(() => filling.destroy())
  }
  return server.port
}
