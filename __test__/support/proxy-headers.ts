/** PROXY headers, made without millrace, and servers that take them. */

import { once } from 'node:events'
import net from 'node:net'
import type { ExecutionContext } from 'ava'
import type { ServeOptions, Server } from 'millrace'
import { closed, endpointOf } from './client.js'
import { start } from './serve.js'
import { turns } from './turns.js'

/** How a header of version 2 begins. */
export const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

/** A header of version 2 with any contents. */
export function binary(command: number, family: number, contents: Uint8Array): Buffer {
  const start = Buffer.from([command, family, contents.length >> 8, contents.length & 255])
  return Buffer.concat([SIGNATURE, start, contents])
}

/** A header that says addresses. */
export interface HeaderCase {
  readonly name: string
  readonly bytes: Buffer
  readonly remote: string
  readonly local: string
}

/** The client is 192.0.2.7:4660, and connected to 198.51.100.9:443. */
const V4 = { remote: '192.0.2.7:4660', local: '198.51.100.9:443' }
export const V4_CONTENTS: Buffer = Buffer.from('c0000207c6336409123401bb', 'hex')
const V6 = { remote: '[2001:db8::7]:4660', local: '[2001:db8::9]:443' }
const V6_CONTENTS = Buffer.from(
  `20010db8${'0'.repeat(22)}0720010db8${'0'.repeat(22)}09123401bb`,
  'hex',
)

export const HEADERS: readonly HeaderCase[] = [
  {
    name: 'version 1, IPv4',
    bytes: Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n'),
    ...V4,
  },
  {
    name: 'version 1, IPv6',
    bytes: Buffer.from('PROXY TCP6 2001:db8::7 2001:db8::9 4660 443\r\n'),
    ...V6,
  },
  { name: 'version 2, IPv4', bytes: binary(0x21, 0x11, V4_CONTENTS), ...V4 },
  { name: 'version 2, IPv6', bytes: binary(0x21, 0x21, V6_CONTENTS), ...V6 },
  {
    name: 'version 2 with fields',
    bytes: binary(0x21, 0x11, Buffer.concat([V4_CONTENTS, Buffer.from([5, 0, 2, 1, 2, 4, 0, 0])])),
    ...V4,
  },
]

/** Headers after which the addresses of the socket hold. */
export const HEADERS_WITHOUT_ADDRESSES: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n')],
  ['UNKNOWN with addresses', Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n')],
  ['LOCAL', binary(0x20, 0x00, Buffer.alloc(0))],
  ['LOCAL with addresses', binary(0x20, 0x11, V4_CONTENTS)],
  ['an unspecified family', binary(0x21, 0x00, Buffer.alloc(7))],
  ['paths of a Unix socket', binary(0x21, 0x31, Buffer.alloc(216, '/'))],
]

/** Trusts this machine. The time is longer than any test. */
export const TRUSTING = { trust: ['127.0.0.1', '::1', 'unix'], timeout: 600_000 } as const

/** A server that shows each connection's addresses, and then echoes. */
export function mirror(
  t: ExecutionContext,
  options: Omit<ServeOptions, 'listen'> & { listen?: ServeOptions['listen'] } = {},
): Promise<Server & { port: number }> {
  return start(t, {
    proxyProtocol: TRUSTING,
    open: (conn) => void conn.write(`${conn.remote} ${conn.local}\n`),
    message: (conn, chunk) => void conn.write(chunk),
    ...options,
  })
}

/** How many connections the server's loops have refused for their headers. */
export function refusals(server: Server): number {
  return server.stats().loops.reduce((total, loop) => total + loop.proxyRefused, 0)
}

/** Resolves once the server's loops have received so many bytes. */
export async function received(server: Server, bytes: number): Promise<void> {
  while (server.stats().loops.reduce((total, loop) => total + loop.bytesRead, 0) < bytes)
    await turns(1)
}

/** Sends bytes, and resolves with the error that the connection ends with; undefined if it ends in good order. */
export async function endOf(
  to: number,
  bytes: Uint8Array,
  { end = false } = {},
): Promise<string | undefined> {
  // Not awaited: it may be reset before Node has seen that it is connected.
  const socket = net.connect({ ...endpointOf(to), allowHalfOpen: true } as net.NetConnectOpts)
  let code: string | undefined
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code
  })
  socket.resume().write(bytes)
  if (end) socket.end()
  await once(socket, 'close').catch(() => closed(socket))
  return code
}
