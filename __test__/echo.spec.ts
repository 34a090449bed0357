import test from 'ava'
import { connect, read, readAll } from './support/client.js'
import { start } from './support/serve.js'

test("the README's echo server sends everything back", async (t) => {
  const server = await start(t, {
    message(conn, chunk) {
      conn.write(chunk)
    },
  })
  const socket = await connect(server.port)
  socket.write('hello')
  t.is((await read(socket, 5)).toString(), 'hello')
  socket.end('bye')
  t.is((await readAll(socket)).toString(), 'bye')
})
