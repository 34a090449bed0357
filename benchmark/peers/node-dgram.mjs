/** A UDP echo server with node:dgram, written for speed: no lookups, no callback for each send. */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { listening, options } from './control.mjs'

options()

// An IP address needs no resolver, but without this option each send goes through one.
const socket = createSocket({
  type: 'udp4',
  lookup: (host, _, callback) => callback(null, host, 4),
  recvBufferSize: 4 << 20,
  sendBufferSize: 4 << 20,
})
socket.on('message', (message, { address, port }) => {
  socket.send(message, 0, message.length, port, address)
})
socket.on('error', (error) => {
  throw error
})
// Subscribe before bind: without a lookup the socket listens at once.
const bound = once(socket, 'listening')
socket.bind(0, '127.0.0.1')
await bound
const { address, port } = socket.address()
listening(`${address}:${port}`)
