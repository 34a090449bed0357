/** A proxy with node:net: each connection is piped to the upstream. */

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { parseArgs } from 'node:util'
import { listening } from './control.mjs'

const { values } = parseArgs({ options: { upstream: { type: 'string' } } })
const [host, port] = String(values.upstream).split(':')

const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
  const upstream = connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true })
  client.pipe(upstream)
  upstream.pipe(client)
  client.on('error', () => upstream.resetAndDestroy())
  upstream.on('error', () => client.resetAndDestroy())
})

server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 })
await once(server, 'listening')
const address = server.address()
listening(`${address.address}:${address.port}`)
