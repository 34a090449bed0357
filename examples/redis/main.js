// @ts-check
/** A server that speaks the protocol of Redis: `node examples/redis/main.js`, then `redis-cli`. */

import { loopsSetting, portSetting } from '../settings.js'
import { closeOnSignal, exitIfTaken } from '../shutdown.js'
import { startRedis } from './server.js'

const server = await startRedis({
  listen: `tcp://127.0.0.1:${portSetting(6379)}`,
  loops: loopsSetting(1),
}).catch(exitIfTaken)

for (const address of server.addresses) console.log(`listening on ${address}`)
closeOnSignal(server)
