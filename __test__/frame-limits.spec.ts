import test from 'ava'
import { lengthField } from 'millrace'
import { connect, read, readAll } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { start } from './support/serve.js'

const OTHERS = process.env.MILLRACE_TEST_FULL === '1' ? 1000 : 200

type Bytes = Uint8Array | string

const length = (value: number, body = '') => {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(value)
  return Buffer.concat([header, Buffer.from(body)])
}

test(`a header that announces 2 GiB closes only its own connection of ${OTHERS + 1}`, async (t) => {
  const ended = gate<Error | undefined>()
  const server = await start<Buffer, Bytes>(t, {
    codec: lengthField(),
    message: (conn, body) => void conn.write(body),
    close: (_, error) => ended.open(error),
  })
  const others = await Promise.all(Array.from({ length: OTHERS }, () => connect(server.port)))
  const round = (text: string) =>
    Promise.all(
      others.map(async (socket) => {
        socket.write(length(text.length, text))
        t.is((await read(socket, 4 + text.length)).toString('latin1', 4), text)
      }),
    )
  await round('before')
  const before = process.memoryUsage.rss()
  const bad = await connect(server.port)
  bad.write(length(2 ** 31, 'some of it'))
  const [error] = await Promise.all([ended.passed, round('meanwhile')])
  t.is(codeOf(error), 'ERR_FRAME_TOO_LARGE')
  await round('after')
  t.true(process.memoryUsage.rss() - before < 256 << 20)
  t.is(server.connections, OTHERS)
  bad.destroy()
})

test('all replies to the frames before a bad one arrive, then FIN', async (t) => {
  const count = 500
  const body = Buffer.alloc(10_000, 'x')
  const ended = gate<Error | undefined>()
  const server = await start<Buffer, Bytes>(t, {
    codec: lengthField(),
    message: (conn, message) => void conn.write(message),
    close: (_, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  const frames = Buffer.concat([
    ...Array(count).fill(length(body.length, body.toString())),
    length(2 ** 31),
  ])
  socket.write(frames)
  const [got, error] = await Promise.all([readAll(socket), ended.passed])
  t.is(got.length, count * (4 + body.length))
  t.is(codeOf(error), 'ERR_FRAME_TOO_LARGE')
})
