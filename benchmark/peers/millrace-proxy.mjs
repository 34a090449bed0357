/** A proxy with millrace: each connection is piped to the upstream. */

import { parseArgs } from 'node:util'
import { connect, pipe, serve } from 'millrace'
import { listening } from './control.mjs'

const { values } = parseArgs({
  options: { loops: { type: 'string', default: '1' }, upstream: { type: 'string' } },
})

const server = await serve({
  listen: 'tcp://127.0.0.1:0',
  loops: values.loops === 'inline' ? values.loops : Number(values.loops),
  allowHalfOpen: true,
  async open(client) {
    const to = `tcp://${values.upstream}`
    await pipe(client, await connect({ to, loop: client, allowHalfOpen: true, close() {} }))
  },
  close() {},
})

listening(server.addresses[0].slice('tcp://'.length))
