/** TLS over connections of millrace, with a key that both sides know. */

import { once } from 'node:events'
import { connect as connectTls, TLSSocket } from 'node:tls'
import test from 'ava'
import { readHalf } from './support/client.js'
import { HALF } from './support/pipe.js'
import { start } from './support/serve.js'
import { patterned, streamOf } from './support/streams.js'

const psk = Buffer.alloc(32, 7)
const CIPHERS = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' } as const

test('TLS works over a stream, and its bytes cross both ways', async (t) => {
  const server = await start(t, {
    ...HALF,
    open(conn) {
      const options = { isServer: true, pskCallback: () => psk, ...CIPHERS }
      const secure = new TLSSocket(streamOf(conn), options)
      secure.on('error', () => {})
      secure.pipe(secure)
    },
  })
  const client = connectTls({
    host: '127.0.0.1',
    port: server.port,
    pskCallback: () => ({ psk, identity: 'spec' }),
    checkServerIdentity: () => undefined,
    ...CIPHERS,
  })
  await once(client, 'secureConnect')
  const body = patterned(4 << 20)
  const got = readHalf(client)
  client.end(body)
  t.true(body.equals(await got))
})
