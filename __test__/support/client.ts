/** A client made with Node, so that no test has millrace on both ends. */

import { once } from 'node:events'
import net from 'node:net'
import type { Readable } from 'node:stream'

/** The options of `net.connect` for a port of this machine, or for the path of a Unix socket. */
export function endpointOf(to: number | string): net.TcpNetConnectOpts | net.IpcNetConnectOpts {
  if (typeof to === 'number') return { host: '127.0.0.1', port: to }
  return { path: to }
}

/** A socket connected to a port or a Unix socket's path. Its errors are ignored. */
export async function connect(
  to: number | string,
  options: Partial<net.TcpNetConnectOpts> = {},
): Promise<net.Socket> {
  const socket = net.connect({ ...endpointOf(to), ...options } as net.NetConnectOpts)
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** The same, but the socket ends its half only when it is told to. */
export function connectHalfOpen(to: number | string): Promise<net.Socket> {
  return connect(to, { allowHalfOpen: true })
}

/** The port or the path of an address as `addresses` shows it. */
function placeOf(address: string | undefined): number | string {
  const path = /^unix:\/\/(.*)$/.exec(address ?? '')?.[1]
  return path?.replace(/^@/, '\0') ?? Number(address?.split(':').pop())
}

/** A socket connected to an address as `addresses` shows it. */
export function connectTo(address: string | undefined): Promise<net.Socket> {
  return connect(placeOf(address))
}

/** The same, but the socket ends its half only when it is told to. */
export function connectHalfOpenTo(address: string | undefined): Promise<net.Socket> {
  return connectHalfOpen(placeOf(address))
}

/** Sends a stream in pieces of `size` bytes, each once the one before it has gone out. */
export async function sendPieces(
  socket: net.Socket,
  stream: Buffer | string,
  size: number,
): Promise<void> {
  socket.setNoDelay()
  const bytes = Buffer.from(stream)
  for (let at = 0; at < bytes.length; at += size) {
    await new Promise((resolve) => socket.write(bytes.subarray(at, at + size), resolve))
  }
}

/** Ends a connection so that the other side hears of a loss. A Unix socket does that if it has not read all that came. */
export function lose(socket: net.Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy()
  else socket.resetAndDestroy()
}

/** All bytes that arrive until the other side ends. */
export async function readAll(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** All bytes that arrive until the other side ends. Unlike `readAll` it leaves our own half open. */
export async function readHalf(socket: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'end')
  return Buffer.concat(chunks)
}

/** The next `length` bytes; later bytes stay in the socket. */
export function read(socket: net.Socket, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // Keep one listener: a new one is called at once if there are bytes, and a loop of those calls
    // would leave no turn to the network.
    const look = () => {
      const chunk = socket.read(length) as Buffer | null
      if (chunk !== null) resolve(chunk)
      else if (socket.readableEnded || socket.destroyed)
        reject(new Error(`ended before ${length} bytes came`))
      else return
      socket.off('readable', look).off('end', look).off('close', look)
    }
    socket.on('readable', look).on('end', look).on('close', look)
    look()
  })
}

/** Resolves once the socket is closed. */
export async function closed(socket: net.Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close').catch(() => {})
}
