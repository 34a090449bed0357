import test from 'ava'
import { connect, type MillraceError } from 'millrace'
import { blackhole, deadPort, dial, path, peer } from './support/dial.js'
import { millraceThreadsOf } from './support/proc.js'
import { LOOPS, start } from './support/serve.js'
import { linux, serialLinux } from './support/system.js'
import { turns } from './support/turns.js'

test('a refused connection rejects with the same code, syscall and address as in Node', async (t) => {
  const port = await deadPort()
  const error = await t.throwsAsync<MillraceError>(dial(t, { to: `tcp://127.0.0.1:${port}` }))
  const { code, syscall, address, errno } = error
  t.deepEqual(
    { code, syscall, address },
    {
      code: 'ECONNREFUSED',
      syscall: 'connect',
      address: '127.0.0.1',
    },
  )
  t.is(error.port, port)
  t.true((errno as number) < 0)
  t.is(error.message, `connect ECONNREFUSED 127.0.0.1:${port}`)
  t.is(error.cause, undefined)
})

if (process.platform !== 'win32') {
  test('connecting to a missing Unix socket rejects with its path', async (t) => {
    const nowhere = path()
    const error = await t.throwsAsync<MillraceError>(dial(t, { to: `unix://${nowhere}` }))
    t.is(error.code, 'ENOENT')
    t.is(error.address, nowhere)
    t.is(error.port, undefined)
  })
}

// Serial, because the test counts the threads of the process.
serialLinux('connecting stops at the timeout and leaves no thread behind', async (t) => {
  const to = `tcp://127.0.0.1:${await blackhole(t)}`
  // The listener's threads stay; with several loops it also has an acceptor.
  const others = LOOPS === 'inline' ? 0 : LOOPS + Number(LOOPS > 1)
  t.is((await millraceThreadsOf(others)).length, others)
  const error = await t.throwsAsync<MillraceError>(connect({ to, timeout: 20, loops: 1 }))
  t.is(error.code, 'ERR_CONNECT_TIMEOUT')
  t.true(error.message.includes(to))
  t.is((await millraceThreadsOf(others)).length, others)
})

linux('a connection comes from localAddress, with or without a port', async (t) => {
  const seen: string[] = []
  const to = await peer(t, 'tcp', (socket) => seen.push(socket.remoteAddress as string))
  const one = await dial(t, { to, localAddress: '127.0.0.5' })
  t.regex(one.local, /^127\.0\.0\.5:[1-9]\d*$/)
  const port = await deadPort()
  const two = await dial(t, { to, localAddress: `127.0.0.6:${port}` })
  t.is(two.local, `127.0.0.6:${port}`)
  while (seen.length < 2) await turns(1)
  t.deepEqual(seen, ['127.0.0.5', '127.0.0.6'])
  // The address that this machine lacks is named, and not the peer's.
  await t.throwsAsync(dial(t, { to, localAddress: '192.0.2.1' }), {
    code: 'EADDRNOTAVAIL',
    message: /^bind EADDRNOTAVAIL 192\.0\.2\.1/,
  })
  await t.throwsAsync(dial(t, { to, localAddress: '::1' }), { code: 'ERR_INVALID_ADDRESS' })
})

test('invalid options and combinations of options are refused', async (t) => {
  const to = 'tcp://127.0.0.1:1'
  const server = await start(t, {})
  const conn = await dial(t, { to: `tcp://127.0.0.1:${server.port}` })
  const option = { code: 'ERR_INVALID_OPTION' }
  const address = { code: 'ERR_INVALID_ADDRESS' }
  await t.throwsAsync(connect({} as never), address)
  await t.throwsAsync(connect(undefined as never), option)
  await t.throwsAsync(connect({ to: 'tcp://127.0.0.1:0' }), address)
  await t.throwsAsync(connect({ to: 'http://127.0.0.1:80' }), address)
  for (const zone of ['-1', '1e3', '0x1', '4294967297', 'no such'])
    await t.throwsAsync(connect({ to: `tcp://[fe80::1%${zone}]:80` }), address)
  await t.throwsAsync(connect({ to, listen: to } as never), option)
  await t.throwsAsync(connect({ to, loop: conn, loops: server }), option)
  await t.throwsAsync(connect({ to, loop: {} as never }), option)
  await t.throwsAsync(connect({ to, loop: conn, ringBytes: 4096 }), option)
  await t.throwsAsync(connect({ to, loops: 0 }), option)
  await t.throwsAsync(connect({ to, ringBytes: 4096 }), option)
  await t.throwsAsync(connect({ to, timeout: 0 }), option)
  await t.throwsAsync(connect({ to, timeout: '1s' as never }), option)
  await t.throwsAsync(connect({ to, signal: {} as never }), option)
  await t.throwsAsync(connect({ to, localAddress: 7 as never }), option)
  await t.throwsAsync(connect({ to, localAddress: 'localhost' }), address)
  await t.throwsAsync(connect({ to, localAddress: '127.0.0.1:65536' }), address)
  await t.throwsAsync(connect({ to, message: 'none' as never }), option)
  await t.throwsAsync(connect({ to, offline: 'queue' } as never), option)
  await t.throwsAsync(connect({ to, reconnect: 7 as never }), option)
  if (process.platform !== 'win32') {
    const to = 'unix:///tmp/x'
    await t.throwsAsync(connect({ to, localAddress: '127.0.0.1' }), option)
    const sockets = [{ keepAlive: true }, { noDelay: true }, { linger: 0 as const }, { dscp: 0 }]
    for (const each of sockets) {
      await t.throwsAsync(connect({ to, ...each }), option)
      await t.throwsAsync(connect({ to, reconnect: true, ...each }), option)
    }
    // A supported option and an undefined one are accepted: connecting fails only because nobody listens.
    const there = connect({ to: `unix://${path()}`, sendBuffer: 4096, noDelay: undefined } as never)
    await t.throwsAsync(there, { code: 'ENOENT' })
  }
})

test('the loop of a connection that has just closed is refused with ERR_CLOSED, also for datagrams', async (t) => {
  const server = await start(t, {})
  const conn = await dial(t, { to: `tcp://127.0.0.1:${server.port}` })
  conn.destroy()
  for (const to of ['tcp://127.0.0.1:1', 'udp://127.0.0.1:1'])
    await t.throwsAsync(connect({ to, loop: conn, message() {} } as never), {
      code: 'ERR_CLOSED',
      message: 'the connection that loop names is closed',
    })
})
