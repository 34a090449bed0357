/** A server whose clients follow a pattern that costs memory, with node:net. */

import { once } from 'node:events'
import { createServer } from 'node:net'
import { parseArgs } from 'node:util'
import { listening } from './control.mjs'
import { counts, Parking, PULLED_BYTES, reply, TOP_BYTES } from './patterns.mjs'

/** @typedef {import('node:net').Socket} Socket */

/** As with millrace: unsent bytes over which no more is written, and no more is read. */
const HIGH = 1 << 20

const { values } = parseArgs({ options: { pattern: { type: 'string' } } })

/** @type {Set<Socket>} */
const sockets = new Set()

/** Connections that got as far as the pattern goes. @type {WeakSet<Socket>} */
const ready = new WeakSet()

/** @param {Socket} socket */
function isReady(socket) {
  if (ready.has(socket)) return
  ready.add(socket)
  counts.ready++
}

/** Writes until no more should be written. @this {Socket} */
function fill() {
  while (!this.destroyed && this.writableLength <= HIGH) this.write(reply())
  this.pause()
  isReady(this)
}

/** @this {Socket} */
function refill() {
  fill.call(this)
  this.resume()
}

/** @param {Socket} socket */
function fills(socket) {
  socket.on('data', fill).on('drain', refill)
}

/** Sees to it that something always waits, as long as there are connections. */
function topUp() {
  if (counts.open === 0) return
  for (const socket of sockets) {
    while (!socket.destroyed && socket.writableLength < TOP_BYTES) socket.write(reply())
  }
  setTimeout(topUp, 1)
}

/** Pulls the bytes of one message, and stops. @param {Socket} socket */
async function pullOne(socket) {
  let received = 0
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    received += chunk.length
    if (received >= PULLED_BYTES) break
  }
  isReady(socket)
}

/** Pulls the rest of every other connection, and destroys the others. */
function pullRest() {
  let at = 0
  for (const socket of [...sockets]) {
    if (at++ % 2 === 0) socket.destroy()
    else socket.resume()
  }
}

/** @type {Parking<Socket>} */
const parking = new Parking()

/** What a server does, and how it finishes when the clients have arrived. @type {Record<string, any>} */
const PATTERNS = {
  'top-up': {
    open(socket) {
      socket.resume()
      isReady(socket)
      if (counts.open === 1) topUp()
    },
  },
  'never-read': { open: fills },
  'slow-read': { open: fills },
  'pull-stop': { open: (socket) => pullOne(socket).catch(() => {}), finish: pullRest },
  'park-resume': {
    open: (socket) => socket.on('data', () => parking.park(socket)),
    close: (socket) => parking.left(socket),
    finish: () => parking.begin(),
  },
  'mass-destroy': {
    open: fills,
    finish() {
      for (const socket of [...sockets]) socket.destroy()
    },
  },
}

const { open, close, finish } = PATTERNS[values.pattern ?? '']

// Bytes that wait are the user's limit with millrace, so here too: `drain` comes when everything was sent.
const server = createServer({ noDelay: true }, (socket) => {
  sockets.add(socket)
  counts.open++
  // Resets are what is meant here.
  socket.on('error', () => {})
  socket.on('close', () => {
    sockets.delete(socket)
    counts.open--
    close?.(socket)
  })
  open(socket)
})

server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 })
await once(server, 'listening')
const address = server.address()
listening(`${address.address}:${address.port}`, {
  counts: () => counts,
  finish() {
    finish?.()
  },
})
