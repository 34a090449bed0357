/** A server whose clients follow a pattern that costs memory, with millrace. */

import { parseArgs } from 'node:util'
import { defineCodec, lengthField, raw, serve } from 'millrace'
import { listening } from './control.mjs'
import { counts, Parking, PULLED_BYTES, reply, TOP_BYTES } from './patterns.mjs'

/** @typedef {import('millrace').Conn<any, any>} Conn */

const { values } = parseArgs({
  options: { loops: { type: 'string', default: '1' }, pattern: { type: 'string' } },
})

/** Connections that got as far as the pattern goes. @type {WeakSet<Conn>} */
const ready = new WeakSet()

/** @param {Conn} conn */
function isReady(conn) {
  if (ready.has(conn)) return
  ready.add(conn)
  counts.ready++
}

/** Writes until no more should be written. @param {Conn} conn */
function fill(conn) {
  while (conn.write(reply()));
  isReady(conn)
}

/** Sees to it that something always waits, as long as there are connections. */
function topUp() {
  if (counts.open === 0) return
  for (const conn of server) {
    while (conn.buffered < TOP_BYTES && conn.write(reply()));
  }
  setTimeout(topUp, 1)
}

/** Needs all bytes of a message before it takes any, so what was received grows. */
const whole = defineCodec({
  framing: raw().framing,
  decode: (from) => (from.remaining < PULLED_BYTES ? undefined : from.bytes(PULLED_BYTES)),
  encode: (message, to) => void to.bytes(message),
})

/** Pulls the rest of every other connection, and destroys the others. */
function pullRest() {
  for (const conn of [...server]) {
    if (conn.id % 2 === 0) conn.destroy()
    else drainInput(conn)
  }
}

/** @param {Conn} conn */
async function drainInput(conn) {
  for await (const _ of conn);
}

/** @type {Parking<Conn>} */
const parking = new Parking()

/** What a server does, and how it finishes when the clients have arrived. @type {Record<string, any>} */
const PATTERNS = {
  'top-up': {
    open(conn) {
      isReady(conn)
      if (counts.open === 1) topUp()
    },
  },
  'never-read': { message: fill, drain: fill },
  'slow-read': { message: fill, drain: fill },
  'pull-stop': {
    codec: whole,
    async open(conn) {
      for await (const _ of conn) break
      isReady(conn)
    },
    finish: pullRest,
  },
  'park-resume': {
    codec: lengthField(),
    message: (conn) => parking.park(conn),
    close: (conn) => parking.left(conn),
    finish: () => parking.begin(),
  },
  'mass-destroy': {
    message: fill,
    drain: fill,
    finish() {
      for (const conn of [...server]) conn.destroy()
    },
  },
}

const { finish, open, close, ...rest } = PATTERNS[values.pattern ?? '']
if (values.pattern !== 'pull-stop') rest.message ??= () => {}

const server = await serve({
  listen: 'tcp://127.0.0.1:0',
  loops: values.loops === 'inline' ? values.loops : Number(values.loops),
  ...rest,
  open(conn) {
    counts.open++
    return open?.(conn)
  },
  close(conn) {
    counts.open--
    close?.(conn)
  },
  // Resets are what is meant here.
  error() {},
})

listening(server.addresses[0].slice('tcp://'.length), {
  counts: () => counts,
  finish() {
    finish?.()
  },
})
