/** A UDP echo server with millrace. */

import { bind } from 'millrace'
import { listening, options } from './control.mjs'

const { loops } = options()

const socket = await bind({
  address: 'udp://127.0.0.1:0',
  loops: loops === 'inline' ? loops : Number(loops),
  // The same sizes as the node:dgram server.
  receiveBuffer: 4 << 20,
  sendBuffer: 4 << 20,
  message(socket, message, info) {
    socket.send(message, info)
  },
})

listening(socket.address.slice('udp://'.length))
