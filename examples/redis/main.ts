/** Starts the Redis example: `node examples/redis/main.ts`, then `redis-cli`. */

import { loopsSetting, portSetting } from '../settings.ts'
import { closeOnSignal, exitIfTaken } from '../shutdown.ts'
import { startRedis } from './server.ts'

const server = await startRedis({
  listen: { host: '127.0.0.1', port: portSetting(6379) },
  loops: loopsSetting(1),
}).catch(exitIfTaken)

console.log(`listening on ${server.addresses[0]}`)
closeOnSignal(server)
