/** An echo server: sends every line back to the client that sent it. `npm start` runs it. */

import { line, serve } from 'millrace'
import { loopsSetting, portSetting } from '../settings.ts'
import { closeOnSignal, exitIfTaken } from '../shutdown.ts'
import { Meter } from './meter.ts'

const meter = new Meter()

const server = await serve({
  listen: { host: '127.0.0.1', port: portSetting(9000) },
  loops: loopsSetting(2),
  codec: line(),
  message(conn, text) {
    conn.write(text)
    meter.messages++
  },
}).catch(exitIfTaken)

console.log(`listening on ${server.addresses[0]}`)
console.log(`try it: nc 127.0.0.1 ${server.port}, then type a line; Ctrl-C here ends the server`)
meter.start(server)
closeOnSignal(server, () => meter.stop())
