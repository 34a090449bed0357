/** A client that sends a stream in random pieces and takes the answer in random pieces. */

import net from 'node:net'
import { endpointOf } from './client.js'
import type { Random } from './random.js'

/** How a stream came back. */
export interface Returned {
  /** The start of the first chunk with a wrong byte, or -1. */
  readonly wrongAt: number
  readonly length: number
}

/** Sizes of the read buffers, which cut the reads. */
const READS = [512, 4093, 16_384, 65_536] as const

/** The size of the next piece: mostly large, sometimes a few bytes, so that headers are cut too. */
function pieceOf(random: Random, length: number): number {
  const kind = random.whole(0, 3)
  if (kind === 0) return random.whole(1, 9)
  if (kind === 1) return random.whole(10, 3000)
  return random.whole(3000, Math.max(3000, length >>> 2))
}

/**
 * Sends `stream` and FIN, and compares the bytes that come back until the other side's FIN.
 *
 * @throws the socket's error
 */
export function sendInCuts(
  to: number | string,
  stream: Buffer,
  expected: Buffer,
  random: Random,
): Promise<Returned> {
  return new Promise((resolve, reject) => {
    let got = 0
    let wrongAt = -1
    const compare = (count: number, buffer: Uint8Array) => {
      const end = Math.min(got + count, expected.length)
      const isSame =
        end - got === count &&
        Buffer.compare(buffer.subarray(0, count), expected.subarray(got, end)) === 0
      if (!isSame && wrongAt === -1) wrongAt = got
      got += count
      return true
    }
    const buffer = Buffer.allocUnsafe(random.one(READS))
    const socket = net.connect({
      ...endpointOf(to),
      noDelay: true,
      allowHalfOpen: true,
      onread: { buffer, callback: compare },
    })
    socket.on('error', reject)
    socket.on('close', () => resolve({ wrongAt, length: got }))
    let sent = 0
    const send = () => {
      if (sent === stream.length) {
        socket.end()
        return
      }
      const piece = stream.subarray(sent, sent + pieceOf(random, stream.length))
      sent += piece.length
      socket.write(piece, send)
    }
    socket.on('connect', send)
  })
}
