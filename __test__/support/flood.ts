/** A client that sends a long stream and reads late, without keeping the stream in memory. */

import net from 'node:net'

/** The stream's period: a prime, so that no buffer's size divides it. */
const PERIOD = 1_048_573
const PIECE = 64 * 1024
const pattern = Buffer.allocUnsafe(PERIOD + 16 * PIECE)
for (let at = 0; at < pattern.length; at++) {
  const place = at % PERIOD
  pattern[at] = (place * 31 + (place >>> 8) * 17 + (place >>> 16)) & 0xff
}

/** Bytes of the stream from an offset, at most `length`. */
export function piece(from: number, length: number): Buffer {
  const at = from % PERIOD
  return pattern.subarray(at, at + Math.min(length, 16 * PIECE))
}

export interface Flood {
  /** The client's own port, by which the server knows it. */
  readonly port: number
  /** Begins to read. */
  read(): void
  /** Resolves when the socket is closed, with the number of right bytes before the first wrong chunk. */
  readonly returned: Promise<number>
}

/** Connects and sends `length` bytes and FIN as fast as possible. Reads nothing before `read()`. */
export function flood(port: number, length: number): Promise<Flood> {
  return new Promise((resolve, reject) => {
    let got = 0
    let right = 0
    let done: (count: number) => void = () => {}
    const returned = new Promise<number>((settle) => {
      done = settle
    })
    const socket = net.connect({
      host: '127.0.0.1',
      port,
      onread: {
        buffer: Buffer.allocUnsafe(PIECE),
        callback(count, buffer) {
          if (right === got && piece(got, count).equals(buffer.subarray(0, count))) right += count
          got += count
          return true
        },
      },
    })
    socket.on('error', reject)
    socket.on('close', () => done(right))
    let sent = 0
    const send = () => {
      while (sent < length) {
        const bytes = piece(sent, Math.min(PIECE, length - sent))
        sent += bytes.length
        if (!socket.write(bytes)) return
      }
      socket.end()
    }
    socket.on('drain', send)
    socket.on('connect', () => {
      socket.pause()
      send()
      resolve({ port: socket.localPort as number, read: () => void socket.resume(), returned })
    })
  })
}
