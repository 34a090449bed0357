/** A server that expects the worst, with node:net: the same limits as in the one with millrace, by hand. */

// Imported, because the global is a getter, which is slower.
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { parseArgs } from 'node:util'
import { listening } from './control.mjs'
import { asked } from './hostile.mjs'

const { values } = parseArgs({
  options: {
    /** Milliseconds of each limit. */
    limit: { type: 'string' },
  },
})
const limit = Number(values.limit)

/** Bytes of the length before each body. */
const HEADER = 4
/** The same limits as in millrace: a larger frame ends the connection, and more unsent bytes stop the reading. */
const MAX = 1 << 20
const UNSENT = 1 << 20

/** @param {import('node:net').Socket} socket */
function cut(socket) {
  socket.destroy()
}

/**
 * Answers a request, with one buffer for the length and the body.
 *
 * @param {import('node:net').Socket} socket
 * @param {Buffer} request
 */
function onMessage(socket, request) {
  const size = asked(request)
  const frame = Buffer.allocUnsafe(HEADER + (size ?? request.length))
  frame.writeUInt32BE(frame.length - HEADER)
  if (size === undefined) frame.set(request, HEADER)
  else frame.fill('x', HEADER)
  socket.write(frame)
}

/** Whether so much waits to be sent that nothing more shall be read. */
function isFull(socket) {
  return socket.writableLength > UNSENT
}

/** Starts the time that a message may take, if it does not run. */
function startFrame(socket) {
  socket.frameTimer ??= setTimeout(cut, limit, socket)
}

function stopFrame(socket) {
  if (socket.frameTimer === undefined) return
  clearTimeout(socket.frameTimer)
  socket.frameTimer = undefined
}

/** Cuts what was received into frames, as long as replies may be written; the rest waits. */
function answer(socket, chunk) {
  let at = 0
  socket.cork()
  while (chunk.length - at >= HEADER && !isFull(socket)) {
    const size = chunk.readUInt32BE(at)
    if (size > MAX) return void socket.destroy(new RangeError('frame too large'))
    const end = at + HEADER + size
    if (end > chunk.length) break
    onMessage(socket, chunk.subarray(at + HEADER, end))
    at = end
  }
  socket.uncork()
  socket.rest = at < chunk.length ? chunk.subarray(at) : undefined
  if (at > 0) stopFrame(socket)
  // Node looks whether the kernel took anything, and lets the time pass once more after it took something.
  if (socket.writableNeedDrain) socket.setTimeout(limit / 2)
  if (isFull(socket)) {
    // A peer is not to blame for a message that nobody reads.
    stopFrame(socket)
    socket.pause()
  } else if (socket.rest !== undefined) {
    startFrame(socket)
  }
}

// Shared by all connections, because they hold no state of one.
function onData(received) {
  answer(this, this.rest === undefined ? received : Buffer.concat([this.rest, received]))
}

function onDrain() {
  this.setTimeout(0)
  const { rest } = this
  if (rest !== undefined) answer(this, rest)
  if (!isFull(this)) this.resume()
}

function onTimeout() {
  cut(this)
}

function onClose() {
  stopFrame(this)
}

const onError = () => {}

// Node's own high-water mark stays as it is: a paused socket reads on until it has so much. `drain` comes when
// everything was sent.
const server = createServer({ noDelay: true }, (socket) => {
  socket.rest = undefined
  socket.frameTimer = undefined
  // The first message has to come whole within its time, too.
  startFrame(socket)
  socket.on('data', onData).on('drain', onDrain).on('timeout', onTimeout)
  socket.on('error', onError).on('close', onClose)
})

server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 })
await once(server, 'listening')
const address = server.address()
listening(`${address.address}:${address.port}`)
