/** A connection against a model, driven by random sequences of what its user and its peer can do. */

import { once } from 'node:events'
import net from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import { connect } from 'millrace'
import { connectHalfOpen } from './support/client.js'
import { ConnModel, STEPS } from './support/conn-model.js'
import { path } from './support/dial.js'
import { KINDS } from './support/kinds.js'
import { holds } from './support/model.js'
import { ANY, LOOPS, RING_BYTES, start } from './support/serve.js'

const RUNS = 40

for (const kind of KINDS) {
  for (const isPulled of [false, true]) {
    for (const allowHalfOpen of [false, true]) {
      const how = `${kind}, ${isPulled ? 'pulled' : 'pushed'}, allowHalfOpen: ${allowHalfOpen}`

      test(`an accepted connection does what the model says: ${how}`, async (t) => {
        const property = fc.asyncProperty(STEPS, async (steps) => {
          const model = new ConnModel(isPulled)
          const file = path()
          const listen = kind === 'unix' ? `unix://${file}` : ANY
          const server = await start(t, { listen, allowHalfOpen, ...model.handlers() })
          const socket = await connectHalfOpen(kind === 'unix' ? file : server.port)
          await model.play(steps, socket)
          await server.close()
        })
        await t.notThrowsAsync(holds(property, RUNS))
      })

      test(`a connection that was made does what the model says: ${how}`, async (t) => {
        const property = fc.asyncProperty(STEPS, async (steps) => {
          const model = new ConnModel(isPulled)
          const peer = net.createServer({ allowHalfOpen: true })
          peer.listen(kind === 'unix' ? { path: path() } : { port: 0, host: '127.0.0.1' })
          await once(peer, 'listening')
          const accepted = once(peer, 'connection')
          const address = peer.address()
          const to =
            typeof address === 'string'
              ? `unix://${address}`
              : `tcp://127.0.0.1:${(address as net.AddressInfo).port}`
          const conn = await connect({
            to,
            loops: LOOPS,
            ringBytes: RING_BYTES,
            allowHalfOpen,
            ...model.handlers(),
          })
          const [socket] = (await accepted) as [net.Socket]
          socket.on('error', () => {})
          await model.play(steps, socket).finally(() => {
            conn.destroy()
            socket.destroy()
            peer.close()
          })
        })
        await t.notThrowsAsync(holds(property, RUNS))
      })
    }
  }
}
