/** The echo example, which `npm start` runs. */

import { once } from 'node:events'
import test from 'ava'
import { connect, connectHalfOpen, read, readAll } from './support/client.js'
import { run, runListening } from './support/example.js'

test('the echo example says how to try it, and sends lines back', async (t) => {
  const example = await runListening(t, 'echo/main.ts')
  t.regex(await example.line(), new RegExp(`nc 127\\.0\\.0\\.1 ${example.port}`))
  const socket = await connect(example.port)
  socket.write('hello\nfrom telnet\r\nha')
  t.is((await read(socket, 18)).toString(), 'hello\nfrom telnet\n')
  socket.write('lf\n')
  t.is((await read(socket, 5)).toString(), 'half\n')
  socket.end()
  t.is((await readAll(socket)).length, 0)
})

test('the echo example prints its connections and messages when they change', async (t) => {
  const example = await runListening(t, 'echo/main.ts')
  await example.line()
  const socket = await connect(example.port)
  // One line goes back and forth until the test ends.
  socket.on('data', (bytes) => socket.write(bytes))
  socket.write('line\n')
  for (let isBusy = false; !isBusy; ) {
    const line = await example.line()
    const [, counts, rate] =
      /^connections per loop: ([\d ]+) \| messages\/s: (\d+)$/.exec(line) ?? []
    const open = counts?.split(' ').reduce((sum, count) => sum + Number(count), 0)
    t.is(open, 1, line)
    isBusy = Number(rate) > 0
  }
})

test('after Ctrl-C the example answers what it has received, and exits with 0', async (t) => {
  const example = await runListening(t, 'echo/main.ts')
  const socket = await connect(example.port)
  const lines = Array.from({ length: 5000 }, (_, at) => `line ${at}\n`).join('')
  socket.write('first\n')
  await read(socket, 6)
  await new Promise((written) => socket.write(lines, written))
  example.kill('SIGINT')
  t.is((await readAll(socket)).toString(), lines)
  t.deepEqual(await example.ended, { code: 0, signal: null, stderr: '' })
})

test('a second Ctrl-C ends the example although a client keeps its connection open', async (t) => {
  const example = await runListening(t, 'echo/main.ts')
  const socket = await connectHalfOpen(example.port)
  socket.write('first\n')
  await read(socket, 6)
  example.kill('SIGINT')
  // The client never ends its side, so the server waits.
  await once(socket.resume(), 'end')
  for (let line = ''; !line.startsWith('closing; connections: 1;'); ) line = await example.line()
  // Signals that follow the first one closely count as the same key press.
  const again = setInterval(() => example.kill('SIGINT'), 50)
  t.teardown(() => clearInterval(again))
  const { code, signal } = await example.ended
  t.true(code === 130 || signal === 'SIGINT', `${code} ${signal}`)
})

test('the echo example says that its port is taken', async (t) => {
  const { port } = await runListening(t, 'echo/main.ts')
  const { ended } = run(t, 'echo/main.ts', { PORT: String(port) })
  const stderr = `port ${port} is taken: choose another with PORT=..., or PORT=0 for any\n`
  t.deepEqual(await ended, { code: 1, signal: null, stderr })
})

test('invalid settings are reported', async (t) => {
  const port = run(t, 'echo/main.ts', { PORT: 'http' })
  t.deepEqual(await port.ended, {
    code: 1,
    signal: null,
    stderr: 'PORT has to be a whole number from 0 to 65535, not http\n',
  })
  const loops = run(t, 'echo/main.ts', { PORT: '0', LOOPS: '0' })
  t.deepEqual(await loops.ended, {
    code: 1,
    signal: null,
    stderr: "LOOPS has to be a whole number from 1 to 128, or 'inline', not 0\n",
  })
})
