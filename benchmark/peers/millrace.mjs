/** An echo server with millrace. */

import { defineCodec, lengthField, raw, serve } from 'millrace'
import { listening, options, startTimer, work } from './control.mjs'

const { framing, messages, loops, unix, work: microseconds, timer } = options()

/** The fields of a message: one object that every message overwrites. */
const fields = new Int32Array(16)

/** Messages of 16 numbers, read and written in place. */
const inPlace = defineCodec({
  framing: lengthField().framing,
  decode(from) {
    for (let at = 0; at < fields.length; at++) fields[at] = from.i32()
    return fields
  },
  encode(message, to) {
    for (let at = 0; at < message.length; at++) to.i32(message[at])
  },
})

/** @type {import('millrace').Codec<any>} */
const codec = framing === 'raw' ? raw() : messages === 'buffer' ? lengthField() : inPlace

const server = await serve({
  listen: unix === undefined ? 'tcp://127.0.0.1:0' : `unix:${unix}`,
  loops: loops === 'inline' ? loops : Number(loops),
  codec,
  message:
    microseconds === 0
      ? (conn, message) => {
          conn.write(message)
        }
      : (conn, message) => {
          work(microseconds)
          conn.write(message)
        },
})

startTimer(timer)
listening(unix === undefined ? server.addresses[0].slice('tcp://'.length) : `unix:${unix}`)
