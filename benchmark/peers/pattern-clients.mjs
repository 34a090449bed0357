/** The clients of the memory patterns, with node:net: they arrive, follow the pattern, and leave when they are told. */

import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import {
  HEADER_BYTES,
  PARKED_BYTES,
  PARKED_MESSAGES,
  READ_BYTES,
  REQUEST_BYTES,
  SENT_BYTES,
} from './patterns.mjs'

/** @typedef {import('node:net').Socket} Socket */

/** How many bytes are read slowly, and the milliseconds before each. */
const SLOW_BYTES = 4
const SLOW_MS = 200
/** How many requests a client sends whose replies nobody reads. */
const REQUESTS = 60

const { values } = parseArgs({
  options: {
    address: { type: 'string', default: '' },
    connections: { type: 'string', default: '0' },
    pattern: { type: 'string', default: '' },
  },
})
const [host, port] = values.address.split(':')

/** What all sockets read into, as nobody looks at it. */
const dump = Buffer.alloc(64 << 10)
const byte = Buffer.alloc(1)

const requests = Buffer.alloc(REQUEST_BYTES * REQUESTS, 'x')
const bulk = Buffer.alloc(SENT_BYTES, 'x')
const frame = Buffer.alloc(PARKED_BYTES, 'x')
frame.writeUInt32BE(PARKED_BYTES - HEADER_BYTES)
const frames = Buffer.concat(Array.from({ length: PARKED_MESSAGES }, () => frame))

/**
 * Connects a socket that reads nothing until it is resumed.
 *
 * @param {import('node:net').OnReadOpts} onread
 */
async function open(onread = { buffer: dump, callback: () => true }) {
  const socket = connect({ host, port: Number(port), noDelay: true, onread })
  socket.pause()
  const connected = once(socket, 'connect')
  socket.on('error', () => {})
  await connected
  return socket
}

async function readMuch() {
  const much = withResolvers()
  let left = READ_BYTES
  const socket = await open({
    buffer: dump,
    callback(size) {
      left -= size
      if (left <= 0) much.resolve()
      return left > 0
    },
  })
  socket.resume()
  await much.promise
  return socket
}

/**
 * Resolves once a socket is closed, in whatever way.
 *
 * @param {Socket} socket
 */
async function closing(socket) {
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
}

/** What `Promise.withResolvers` returns, which Node 20 does not have. */
function withResolvers() {
  let resolve
  const promise = new Promise((done) => (resolve = done))
  return { promise, resolve }
}

/** Asks for much, and reads nothing. */
async function readNothing() {
  const socket = await open()
  socket.write(requests)
  return socket
}

/** Asks for much, and reads a byte at a time. */
async function readSlowly() {
  let read = withResolvers()
  const socket = await open({
    buffer: byte,
    callback() {
      read.resolve()
      return false
    },
  })
  socket.write(requests)
  for (let count = 0; count < SLOW_BYTES; count++) {
    await wait(SLOW_MS)
    socket.resume()
    await read.promise
    read = withResolvers()
  }
  return socket
}

/** Sends all of it and a FIN, as fast as the server takes it. @param {Buffer} bytes */
async function send(bytes) {
  const socket = await open()
  socket.end(bytes)
  socket.resume()
  return socket
}

/** @type {Record<string, () => Promise<Socket>>} */
const PATTERNS = {
  'top-up': readMuch,
  'never-read': readNothing,
  'slow-read': readSlowly,
  'pull-stop': () => send(bulk),
  'park-resume': () => send(frames),
  'mass-destroy': readNothing,
}

/** Whether the clients go away, and not the server. */
const isLeaving = values.pattern !== 'pull-stop' && values.pattern !== 'park-resume'

/** @type {Socket[]} */
let sockets = []

/** @type {Record<string, () => Promise<void>>} */
const ORDERS = {
  async arrive() {
    const coming = Array.from({ length: Number(values.connections) }, PATTERNS[values.pattern])
    sockets = await Promise.all(coming)
  },
  async leave() {
    const all = sockets
    sockets = []
    const closed = all.map(closing)
    if (isLeaving) for (const socket of all) socket.destroy()
    await Promise.all(closed)
  },
}

const lines = createInterface({ input: process.stdin })
lines.on('line', async (order) => {
  await ORDERS[order]()
  console.log('done')
})
lines.on('close', () => process.exit(0))
