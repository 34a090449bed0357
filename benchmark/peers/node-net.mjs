/** An echo server with node:net, written for speed: shared listeners, frames read in place, one system
 * call for all replies to a chunk. */

// Imported, because the global is a getter, which is slower.
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { listening, options, startTimer, work } from './control.mjs'

const { framing, messages, replies, unix, work: microseconds, timer } = options()

/** Bytes of the length before each body. */
const HEADER = 4
/** The same limit as in millrace: a larger frame ends the connection. */
const MAX = 1 << 20
/** The fields of a message: one object that every message overwrites. */
const fields = new Int32Array(16)

/** Sends, and stops reading while too much is queued. */
function send(socket, bytes) {
  if (!socket.write(bytes)) socket.pause()
}

/** A frame as one buffer; the caller fills in the body. @param {number} size of the body */
function frame(size) {
  const bytes = Buffer.allocUnsafe(HEADER + size)
  bytes.writeUInt32BE(size)
  return bytes
}

/** Writes each reply to the socket, which is corked while a chunk is processed. */
class Each {
  /** @param {import('node:net').Socket} socket */
  constructor(socket) {
    this.socket = socket
    socket.cork()
  }

  /** @param {Int32Array} message */
  numbers(message) {
    const reply = frame(4 * message.length)
    for (let i = 0; i < message.length; i++) reply.writeInt32BE(message[i], HEADER + 4 * i)
    this.socket.write(reply)
  }

  /** @param {Buffer} message */
  bytes(message) {
    const reply = frame(message.length)
    reply.set(message, HEADER)
    this.socket.write(reply)
  }

  end() {
    const { socket } = this
    socket.uncork()
    if (socket.writableNeedDrain) socket.pause()
  }
}

/** Collects the replies to a chunk in one buffer. An echo's replies are never larger than the chunk. */
class Merged {
  /** @param {import('node:net').Socket} socket @param {number} size of the chunk */
  constructor(socket, size) {
    this.socket = socket
    this.buffer = Buffer.allocUnsafe(size)
    this.view = new DataView(this.buffer.buffer, this.buffer.byteOffset, size)
    this.length = 0
  }

  /** Writes the header of a frame. Returns where its body goes. @param {number} size of the body */
  #frame(size) {
    const at = this.length
    this.view.setUint32(at, size)
    this.length = at + HEADER + size
    return at + HEADER
  }

  /** @param {Int32Array} message */
  numbers(message) {
    const at = this.#frame(4 * message.length)
    for (let i = 0; i < message.length; i++) this.view.setInt32(at + 4 * i, message[i])
  }

  /** @param {Buffer} message */
  bytes(message) {
    this.buffer.set(message, this.#frame(message.length))
  }

  end() {
    const { buffer, length } = this
    if (length > 0) send(this.socket, buffer.subarray(0, length))
  }
}

/** The handler: called for each message, and answers it. */
function onNumbers(conn, message) {
  if (microseconds !== 0) work(microseconds)
  conn.numbers(message)
}

function onBytes(conn, message) {
  if (microseconds !== 0) work(microseconds)
  conn.bytes(message)
}

/** Messages of 16 numbers, read in place. */
function inPlace(conn, _chunk, view, at, end) {
  if (end - at !== 4 * fields.length) throw new RangeError('not a message')
  for (let i = 0; i < fields.length; i++) fields[i] = view.getInt32(at + 4 * i)
  onNumbers(conn, fields)
}

/** Passes each frame as a buffer. */
function asBuffer(conn, chunk, _view, at, end) {
  onBytes(conn, chunk.subarray(at, end))
}

const Conn = replies === 'merged' ? Merged : Each
const decode = messages === 'buffer' ? asBuffer : inPlace

/** Cuts a chunk into frames; the rest waits for the next chunk. */
function onFrames(received) {
  const chunk = this.rest === undefined ? received : Buffer.concat([this.rest, received])
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length)
  const conn = new Conn(this, chunk.length)
  let at = 0
  while (chunk.length - at >= HEADER) {
    const size = view.getUint32(at)
    if (size > MAX) return void this.destroy(new RangeError('frame too large'))
    const end = at + HEADER + size
    if (end > chunk.length) break
    decode(conn, chunk, view, at + HEADER, end)
    at = end
  }
  this.rest = at < chunk.length ? chunk.subarray(at) : undefined
  conn.end()
}

function onChunk(chunk) {
  send(this, chunk)
}

function onDrain() {
  this.resume()
}

// Shared by all connections, because they hold no state of one.
const onData = framing === 'raw' ? onChunk : onFrames
const onError = () => {}

const server = createServer({ noDelay: true, highWaterMark: 1 << 20 }, (socket) => {
  if (framing !== 'raw') socket.rest = undefined
  socket.on('data', onData).on('drain', onDrain).on('error', onError)
})

const place = unix === undefined ? { host: '127.0.0.1', port: 0 } : { path: unix }
server.listen({ ...place, backlog: 4096 })
await once(server, 'listening')
startTimer(timer)
if (unix === undefined) {
  const { address, port } = server.address()
  listening(`${address}:${port}`)
} else {
  listening(`unix:${unix}`)
}
