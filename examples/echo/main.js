// @ts-check
/** An echo server: every line that comes in goes back. `npm start` runs it. */

import { line, serve } from 'millrace'
import { loopsSetting, portSetting } from '../settings.js'
import { closeOnSignal, exitIfTaken } from '../shutdown.js'
import { Meter } from './meter.js'

const meter = new Meter()

const server = await serve({
  listen: `tcp://127.0.0.1:${portSetting(9000)}`,
  loops: loopsSetting(2),
  codec: line(),
  message(conn, bytes) {
    conn.write(bytes)
    meter.messages++
  },
}).catch(exitIfTaken)

for (const address of server.addresses) {
  const { hostname, port } = new URL(address)
  console.log(`listening on ${address}`)
  console.log(`talk to it with nc ${hostname} ${port}: type a line; Ctrl-C here ends it`)
}
meter.start(server)
closeOnSignal(server, () => meter.stop())
