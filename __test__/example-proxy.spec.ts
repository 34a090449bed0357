/** The proxy example. */

import { once } from 'node:events'
import test from 'ava'
import { closed, connect, connectHalfOpen, readHalf } from './support/client.js'
import { peer } from './support/dial.js'
import { run } from './support/example.js'

/** Starts the example in front of an upstream. Returns it, and its port. */
async function proxy(t: Parameters<typeof run>[0], upstream: string, env: NodeJS.ProcessEnv = {}) {
  const LOOPS = process.env.MILLRACE_TEST_LOOPS ?? '1'
  const example = run(t, 'proxy/main.ts', { PORT: '0', LOOPS, UPSTREAM: upstream, ...env })
  const [, port] = /^listening on tcp:\/\/127\.0\.0\.1:(\d+)$/.exec(await example.line()) ?? []
  t.is(await example.line(), `passes connections on to ${upstream}; Ctrl-C here ends the proxy`)
  return { ...example, port: Number(port) }
}

test('the proxy example passes on both ways, halves included, and says how much it was', async (t) => {
  const upstream = await peer(t, 'tcp', (socket) => {
    socket.on('data', (chunk) => socket.write(chunk)).on('end', () => socket.end('bye'))
  })
  const example = await proxy(t, upstream)
  const socket = await connectHalfOpen(example.port)
  socket.end('hello')
  t.is((await readHalf(socket)).toString(), 'hellobye')
  t.regex(await example.line(), /^127\.0\.0\.1:\d+: 5 bytes there, 8 back, in order$/)
  example.kill('SIGINT')
  t.is((await example.ended).code, 0)
})

test('the proxy example says so if there is no upstream', async (t) => {
  const upstream = await peer(t, 'tcp', () => {})
  const gone = upstream.replace(/\d+$/, '1')
  const example = await proxy(t, gone)
  const socket = await connect(example.port)
  socket.resume()
  await closed(socket)
  t.regex(await example.line(), /^127\.0\.0\.1:\d+: tcp:\/\/127\.0\.0\.1:1 refuses connections$/)
})

test('two proxies in a row pass on who the client is, in either version', async (t) => {
  for (const [version, start] of [
    ['1', 'PROXY TCP4 127.0.0.1 127.0.0.1 '],
    ['2', '\r\n\r\n\0\r\nQUIT\n'],
  ] as const) {
    const upstream = await peer(t, 'tcp', (socket) => {
      socket.on('data', (chunk) => socket.write(chunk)).on('end', () => socket.end())
    })
    const SEND_PROXY = version
    const second = await proxy(t, upstream, { SEND_PROXY, TRUST: '127.0.0.0/8,::1' })
    const first = await proxy(t, `tcp://127.0.0.1:${second.port}`, { SEND_PROXY })
    const socket = await connectHalfOpen(first.port)
    const { localPort } = socket
    const client = `127.0.0.1:${localPort}`
    socket.end('hello')
    // The upstream echoes the header, too.
    const echo = (await readHalf(socket)).toString('latin1')
    t.true(echo.startsWith(start), echo)
    t.true(echo.endsWith('hello'))
    if (version === '1') t.true(echo.includes(` ${localPort} ${first.port}\r\n`), echo)
    for (const each of [first, second]) t.true((await each.line()).startsWith(`${client}: 5 bytes`))
  }
})

test('the proxy example resets a proxy in front that sends no header', async (t) => {
  const upstream = await peer(t, 'tcp', () => t.fail('it connected'))
  const example = await proxy(t, upstream, { TRUST: '127.0.0.1' })
  const socket = await connect(example.port)
  socket.resume().write('GET / HTTP/1.1\r\n\r\n')
  await t.throwsAsync(once(socket, 'end'), { code: 'ECONNRESET' })
})
