/** HAProxy in TCP mode with one thread. This process only starts it, and ends it. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { upstream: { type: 'string' } } })

/** A port that is free. HAProxy cannot say which one the system chose. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}

const port = await freePort()
const folder = mkdtempSync(join(tmpdir(), 'millrace-haproxy-'))
const config = join(folder, 'haproxy.cfg')
writeFileSync(
  config,
  `global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen proxy
  bind 127.0.0.1:${port} backlog 4096
  server upstream ${values.upstream}
`,
)
const haproxy = spawn('haproxy', ['-db', '-q', '-f', config], { stdio: 'ignore' })
haproxy.on('exit', () => {
  rmSync(folder, { recursive: true })
  process.exit()
})
process.stdin.on('end', () => haproxy.kill('SIGKILL')).resume()

let isReady = false
for (let tries = 0; tries < 100 && !isReady; tries++) {
  const socket = connect(port, '127.0.0.1')
  isReady = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  if (!isReady) await wait(20)
}
if (!isReady) throw new Error('haproxy does not listen')
// Its own process is the one to measure.
console.log(`listening 127.0.0.1:${port} ${haproxy.pid}`)
