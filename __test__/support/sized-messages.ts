/** Messages of bytes in many sizes, received in every way: what specs of their memory need. */

import type { ExecutionContext } from 'ava'
import { type Codec, defineCodec, lengthField, line, raw } from 'millrace'
import { connectTo } from './client.js'
import { gate } from './gate.js'
import { type Kind, listenOn } from './kinds.js'
import { start } from './serve.js'

/** A framing of bodies of any size. */
interface SizedFraming {
  readonly codec: Codec<Buffer, never>
  /** What is on the wire of a body. */
  wire(body: Buffer): Buffer[]
}

/** Sizes around those at which memory is shared, not shared any more, or comes in parts. */
export const SIZES = [1, 10, 64, 65, 79, 80, 129, 1000, 5000, 8192, 16_384, 16_385, 300_000]

/** Framings, each with what is on the wire of a body. */
export const FRAMINGS: Readonly<Record<string, SizedFraming>> = {
  line: { codec: line() as SizedFraming['codec'], wire: (body) => [body, Buffer.from('\n')] },
  length: { codec: lengthField() as SizedFraming['codec'], wire: (body) => [lengthOf(body), body] },
  raw: {
    codec: defineCodec<Buffer, never>({
      framing: raw().framing,
      decode(from) {
        if (from.remaining < 4) return undefined
        const size = from.u32()
        return from.remaining < size ? undefined : from.bytes(size)
      },
      encode() {},
    }),
    wire: (body) => [lengthOf(body), body],
  },
}

/** The length of a body, in four bytes. */
export function lengthOf(body: Buffer): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(body.length)
  return bytes
}

/** A body of `size` bytes that tells which one it is. */
export function bodyOf(size: number, number: number): Buffer {
  return Buffer.alloc(size, String.fromCharCode(97 + (number % 26)))
}

/** How a server takes the messages of a connection. */
export const WAYS = ['pushed', 'pulled', 'paused'] as const

/** Sends bodies in one stream, and gives what arrives to `take`, until all have arrived. */
export async function receive(
  t: ExecutionContext,
  framing: string,
  way: (typeof WAYS)[number],
  bodies: readonly Buffer[],
  take: (message: Buffer) => void,
  kind: Kind = 'tcp',
): Promise<void> {
  const { codec, wire } = FRAMINGS[framing] as SizedFraming
  const done = gate<Error | undefined>()
  let count = 0
  const taken = (message: Buffer) => {
    take(message)
    if (++count === bodies.length) done.open(undefined)
  }
  const server = await start<Buffer, never>(t, {
    listen: listenOn(t, kind),
    codec,
    ...(way === 'pulled'
      ? {
          async open(conn) {
            for await (const message of conn) taken(message)
          },
        }
      : {
          message(conn, message) {
            taken(message)
            if (way !== 'paused' || count % (bodies.length > 1000 ? 30 : 3) !== 0) return
            conn.pause()
            setImmediate(() => conn.resume())
          },
        }),
    close: (_, error) => done.open(error),
  })
  const socket = await connectTo(server.addresses[0])
  for (let at = 0; at < bodies.length; at += 1000)
    socket.write(Buffer.concat(bodies.slice(at, at + 1000).flatMap(wire)))
  t.is(await done.passed, undefined)
  socket.destroy()
  await server.close({ timeout: 0 })
}
