/**
 * A TCP proxy: passes each connection on to `UPSTREAM`, a URL such as `tcp://127.0.0.1:9000`.
 *
 * `TRUST=10.0.0.0/8,::1` says which proxies in front send a PROXY header. `SEND_PROXY=1` or `2` sends one upstream.
 */

import { connect, pipe, proxyHeader, serve } from 'millrace'
import { listSetting, loopsSetting, portSetting, sendProxySetting } from '../settings.ts'
import { closeOnSignal, exitIfTaken } from '../shutdown.ts'

const to = process.env.UPSTREAM ?? 'tcp://127.0.0.1:9000'
const trust = listSetting('TRUST')
const version = sendProxySetting()

/** Both sides: halves end apart, and neither silence nor a peer that does not read lasts for ever. */
const both = { allowHalfOpen: true, timeouts: { idle: 300_000, write: 60_000 } }

const server = await serve({
  ...both,
  listen: { host: '127.0.0.1', port: portSetting(8000) },
  loops: loopsSetting(2),
  proxyProtocol: trust.length > 0 && { trust },
  async open(client) {
    // On the loop of the client, which can then pass bytes on by itself.
    const upstream = await connect({ ...both, to, loop: client, timeout: 5_000, close() {} })
    if (version !== undefined) upstream.write(proxyHeader(client, { version }))
    const { forth, back, error } = await pipe(client, upstream)
    console.log(
      `${client.remote}: ${forth} bytes there, ${back} back, ${error?.code ?? 'in order'}`,
    )
  },
  close(client, error) {
    if (error?.code === 'ECONNREFUSED') console.log(`${client.remote}: ${to} refuses connections`)
  },
}).catch(exitIfTaken)

console.log(`listening on ${server.addresses[0]}`)
console.log(`passes connections on to ${to}; Ctrl-C here ends the proxy`)
closeOnSignal(server)
