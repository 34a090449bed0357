/** An MQTT broker, aedes, over connections of millrace. Its clients are Mosquitto's. */

import { once } from 'node:events'
import { Aedes } from 'aedes'
import test, { type ExecutionContext } from 'ava'
import { readHalf } from './support/client.js'
import { dial } from './support/dial.js'
import { HAS_MOSQUITTO, mosquitto } from './support/mosquitto.js'
import { HALF } from './support/pipe.js'
import { start } from './support/serve.js'
import { gone, patterned, streamOf } from './support/streams.js'

const withMosquitto = HAS_MOSQUITTO ? test : test.skip

/** Serves MQTT until the test ends. */
async function broker(t: ExecutionContext) {
  const aedes = await Aedes.createBroker()
  t.teardown(() => aedes.close())
  const server = await start(t, {
    ...HALF,
    open: (conn) => void aedes.handle(streamOf(conn)),
  })
  return { aedes, server, port: server.port }
}

withMosquitto('messages reach who has subscribed, with each quality of service', async (t) => {
  const { aedes, port } = await broker(t)
  for (const quality of [0, 1, 2]) {
    const subscribed = once(aedes, 'subscribe')
    const got = mosquitto(t, 'sub', port, ['-t', 'news/#', '-C', 3, '-q', quality, '-v'])
    await subscribed
    const sent = await mosquitto(t, 'pub', port, ['-t', 'news/x', '-l', '-q', quality], 'a\nb\nc\n')
    t.is(sent.code, 0)
    t.deepEqual(await got, { code: 0, stdout: Buffer.from('news/x a\nnews/x b\nnews/x c\n') })
  }
})

withMosquitto('a message of 4 MiB arrives as it was', async (t) => {
  const { aedes, port } = await broker(t)
  const body = patterned(4 << 20)
  const subscribed = once(aedes, 'subscribe')
  const got = mosquitto(t, 'sub', port, ['-t', 'large', '-C', 1, '-N'])
  await subscribed
  t.is((await mosquitto(t, 'pub', port, ['-t', 'large', '-s'], body)).code, 0)
  const { code, stdout } = await got
  t.is(code, 0)
  t.true(body.equals(stdout))
})

withMosquitto('a retained message and a will reach those who come later', async (t) => {
  const { aedes, port } = await broker(t)
  t.is((await mosquitto(t, 'pub', port, ['-t', 'kept', '-m', 'still here', '-r'])).code, 0)
  const kept = await mosquitto(t, 'sub', port, ['-t', 'kept', '-C', 1])
  t.is(String(kept.stdout), 'still here\n')
  const will = ['--will-topic', 'will', '--will-payload', 'I am gone', '--will-retain']
  const subscribed = once(aedes, 'subscribe')
  void mosquitto(t, 'sub', port, ['-t', 'none', '-i', 'mortal', ...will])
  const [, client] = await subscribed
  const published = new Promise<void>((resolve) => {
    aedes.on('publish', ({ topic }) => {
      if (topic === 'will') resolve()
    })
  })
  client.conn.destroy()
  await published
  const last = await mosquitto(t, 'sub', port, ['-t', 'will', '-C', 1])
  t.is(String(last.stdout), 'I am gone\n')
})

test('a client that does not begin with CONNECT is closed', async (t) => {
  const { aedes, port } = await broker(t)
  const stream = streamOf(await dial(t, { to: port, allowHalfOpen: true }))
  // PINGREQ.
  stream.end(Buffer.from([0xc0, 0]))
  t.is((await readHalf(stream)).length, 0)
  await gone(stream)
  t.is(aedes.connectedClients, 0)
})
