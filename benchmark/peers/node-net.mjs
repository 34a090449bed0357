/** An echo server with node:net, written for speed: shared listeners, frames read in place, one write
 * for all replies to a chunk. */

import { once } from 'node:events'
import { createServer } from 'node:net'
import { listening, options, startTimer, work } from './control.mjs'

const { framing, messages, work: microseconds, timer } = options()

/** Bytes of the length before each body. */
const HEADER = 4
/** As millrace has it: over it the connection ends. */
const MAX = 1 << 20
/** The fields of a message: one object that each message fills anew. */
const fields = new Int32Array(16)

/** Sends, and stops reading while too much waits to be sent. */
function send(socket, bytes) {
  if (!socket.write(bytes)) socket.pause()
}

/** The replies to one chunk. */
class Replies {
  buffer
  view
  length = 0

  /** @param {number} size most likely the right one */
  constructor(size) {
    this.buffer = Buffer.allocUnsafe(size)
    this.view = new DataView(this.buffer.buffer, this.buffer.byteOffset, size)
  }

  /** Room for a frame with a body of `size` bytes, whose header it writes; where the body goes. */
  frame(size) {
    const at = this.length
    this.length = at + HEADER + size
    if (this.length > this.buffer.length) this.#grow()
    this.view.setUint32(at, size)
    return at + HEADER
  }

  #grow() {
    const { buffer } = this
    this.buffer = Buffer.allocUnsafe(2 * this.length)
    this.buffer.set(buffer)
    this.view = new DataView(this.buffer.buffer, this.buffer.byteOffset, this.buffer.length)
  }
}

/** Messages of 16 numbers, read and written in place. */
function inPlace(_chunk, view, at, end, replies) {
  if (end - at !== 4 * fields.length) throw new RangeError('not a message')
  for (let i = 0; i < fields.length; i++) fields[i] = view.getInt32(at + 4 * i)
  handle(replies, fields)
}

function handle(replies, message) {
  if (microseconds !== 0) work(microseconds)
  const at = replies.frame(4 * message.length)
  const { view } = replies
  for (let i = 0; i < message.length; i++) view.setInt32(at + 4 * i, message[i])
}

/** Each frame as a buffer. */
function asBuffer(chunk, _view, at, end, replies) {
  handleBuffer(replies, chunk.subarray(at, end))
}

function handleBuffer(replies, message) {
  if (microseconds !== 0) work(microseconds)
  const at = replies.frame(message.length)
  replies.buffer.set(message, at)
}

const decode = messages === 'buffer' ? asBuffer : inPlace

/** Cuts a chunk into frames; what is left of it waits for the next one. */
function onFrames(received) {
  const chunk = this.rest === undefined ? received : Buffer.concat([this.rest, received])
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length)
  const replies = new Replies(chunk.length)
  let at = 0
  while (chunk.length - at >= HEADER) {
    const size = view.getUint32(at)
    if (size > MAX) return void this.destroy(new RangeError('frame too large'))
    const end = at + HEADER + size
    if (end > chunk.length) break
    decode(chunk, view, at + HEADER, end, replies)
    at = end
  }
  this.rest = at < chunk.length ? chunk.subarray(at) : undefined
  const { buffer, length } = replies
  if (length > 0) send(this, length === buffer.length ? buffer : buffer.subarray(0, length))
}

function onChunk(chunk) {
  send(this, chunk)
}

function onDrain() {
  this.resume()
}

// Shared by all connections, as nothing in them belongs to one.
const onData = framing === 'raw' ? onChunk : onFrames
const onError = () => {}

const server = createServer({ noDelay: true, highWaterMark: 1 << 20 }, (socket) => {
  if (framing !== 'raw') socket.rest = undefined
  socket.on('data', onData).on('drain', onDrain).on('error', onError)
})

server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 })
await once(server, 'listening')
const { address, port } = server.address()
startTimer(timer)
listening(`${address}:${port}`)
