/** WebSockets over connections of millrace, with the package ws on both sides. */

import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { WebSocket, WebSocketServer } from 'ws'
import { codeOf, gate } from './support/gate.js'
import { gone, patterned } from './support/streams.js'
import { web } from './support/web.js'

const MIB = 1 << 20

/** A WebSocket server that echoes, and a client of it. */
async function echo(t: ExecutionContext) {
  const { http, server, port, streams, codes } = await web(t, () => {})
  const sockets = new WebSocketServer({ noServer: true })
  t.teardown(() => sockets.close())
  const opened = gate<WebSocket>()
  http.on('upgrade', (request, stream, head) => {
    sockets.handleUpgrade(request, stream, head, (socket) => {
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
      opened.open(socket)
    })
  })
  const client = new WebSocket(`ws://127.0.0.1:${port}`)
  t.teardown(() => client.terminate())
  await once(client, 'open')
  return { server, streams, codes, client, socket: await opened.passed }
}

test('text and a binary message of 1 MiB come back', async (t) => {
  const { client } = await echo(t)
  client.send('a text')
  t.is(String((await once(client, 'message'))[0]), 'a text')
  const body = patterned(MIB)
  client.send(body)
  const [data, isBinary] = await once(client, 'message')
  t.true(isBinary)
  t.true(body.equals(data as Buffer))
})

test('1,000 messages at once come back in order', async (t) => {
  const { client } = await echo(t)
  const got: string[] = []
  const all = gate()
  client.on('message', (data) => {
    if (got.push(String(data)) === 1_000) all.open()
  })
  const sent = Array.from({ length: 1_000 }, (_, at) => `message ${at}`)
  for (const text of sent) client.send(text)
  await all.passed
  t.deepEqual(got, sent)
})

test('the code of a close crosses both ways, and the connection ends in good order', async (t) => {
  const first = await echo(t)
  first.client.close(4001, 'of the client')
  const [code, reason] = await once(first.socket, 'close')
  t.deepEqual([code, String(reason)], [4001, 'of the client'])
  for (const stream of first.streams) await gone(stream)
  t.deepEqual(first.codes, [undefined])

  const second = await echo(t)
  second.socket.close(4002, 'of the server')
  const [otherCode, otherReason] = await once(second.client, 'close')
  t.deepEqual([otherCode, String(otherReason)], [4002, 'of the server'])
  for (const stream of second.streams) await gone(stream)
  t.deepEqual(second.codes, [undefined])
})

test('a client that vanishes closes its WebSocket with 1006', async (t) => {
  const { client, socket, streams } = await echo(t)
  const errors: (string | undefined)[] = []
  socket.on('error', (error) => errors.push(codeOf(error)))
  const over = once(socket, 'close')
  client.terminate()
  t.is((await over)[0], 1006)
  for (const stream of streams) await gone(stream)
  t.deepEqual(errors, [])
})

test('a server that closes ends its WebSockets', async (t) => {
  const { server, client } = await echo(t)
  const over = once(client, 'close')
  await server.close()
  t.is((await over)[0], 1006)
})
