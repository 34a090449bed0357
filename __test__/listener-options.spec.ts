import test from 'ava'
import { type MillraceError, serve } from 'millrace'
import { connect, read } from './support/client.js'
import { ANY, LOOPS, start } from './support/serve.js'
import { IS_LINUX } from './support/system.js'

test('listening options refuse invalid values', async (t) => {
  const refused: Record<string, readonly unknown[]> = {
    reusePort: ['true', 1, null],
    ipv6Only: ['true', 1, null],
    ...(IS_LINUX
      ? {
          fastOpen: [0, -1, 1.5, 65_536, 'true', null],
          deferAccept: [0, -1, 1.5, 255_001, '1', null, true],
          bindToDevice: ['', 'x'.repeat(16), 'a\0b', 1, null],
        }
      : {}),
  }
  for (const [name, values] of Object.entries(refused)) {
    for (const value of values) {
      const options = { [name]: value }
      const expected = { code: 'ERR_INVALID_OPTION', message: new RegExp(name) }
      await t.throwsAsync(serve({ listen: ANY, loops: LOOPS, ...options }), expected, String(value))
    }
  }
})

test('options that this system does not support are refused', async (t) => {
  const lacked: [string, unknown][] = IS_LINUX
    ? []
    : [
        ['userTimeout', 1000],
        ['quickAck', true],
        ['fastOpen', true],
        ['deferAccept', 1000],
        ['bindToDevice', 'lo0'],
      ]
  if (!IS_LINUX && process.platform !== 'freebsd') lacked.push(['reusePort', true])
  for (const [name, value] of lacked) {
    const options = { listen: ANY, loops: LOOPS, [name]: value }
    await t.throwsAsync(serve(options), { code: 'ERR_UNSUPPORTED', message: new RegExp(name) })
  }
  t.pass()
})

test('ipv6Only decides whether an IPv6 address accepts IPv4', async (t) => {
  for (const [address, ipv6Only, takes] of [
    ['tcp://[::]:0', undefined, false],
    ['tcp://[::]:0', false, true],
    ['tcp://:0', undefined, true],
    ['tcp://:0', true, false],
  ] as const) {
    const options = ipv6Only === undefined ? {} : { ipv6Only }
    const server = await start(t, { listen: address, ...options, message() {} })
    await t.notThrowsAsync(connect(server.port, { host: '::1' }))
    const four = connect(server.port)
    if (takes) await t.notThrowsAsync(four)
    else await t.throwsAsync(four, { code: 'ECONNREFUSED' })
  }
  // As an option of the server, it is ignored for an IPv4 listener.
  await start(t, { ipv6Only: true, message() {} })
  const listen = { address: ANY, ipv6Only: true }
  await t.throwsAsync(serve({ listen, loops: LOOPS }), { code: 'ERR_INVALID_OPTION' })
})

if (IS_LINUX) {
  test('deferAccept accepts a connection when its first bytes arrive', async (t) => {
    const opened: string[] = []
    const server = await start(t, {
      deferAccept: 10_000,
      open: () => void opened.push('open'),
      message: (conn, chunk) => void conn.write(chunk),
    })
    const silent = await connect(server.port)
    const other = await connect(server.port)
    other.write('hello')
    t.is((await read(other, 5)).toString(), 'hello')
    t.is(opened.length, 1)
    silent.write('hello')
    t.is((await read(silent, 5)).toString(), 'hello')
  })

  test('a listener with fastOpen serves ordinary connections', async (t) => {
    for (const fastOpen of [true, 16, false] as const) {
      const server = await start(t, { fastOpen, message: (conn, chunk) => void conn.write(chunk) })
      const socket = await connect(server.port)
      socket.write('hello')
      t.is((await read(socket, 5)).toString(), 'hello')
    }
  })

  test('T31 bindToDevice binds a listener to an interface', async (t) => {
    let server: Awaited<ReturnType<typeof start>>
    try {
      server = await start(t, {
        listen: { address: 'tcp://0.0.0.0:0', bindToDevice: 'lo' },
        message: (conn, chunk) => void conn.write(chunk),
      })
    } catch (error) {
      t.is((error as MillraceError).code, 'EPERM')
      t.log('not permitted: this process lacks CAP_NET_RAW')
      return
    }
    const socket = await connect(server.port)
    socket.write('hello')
    t.is((await read(socket, 5)).toString(), 'hello')
    const none = { address: ANY, bindToDevice: 'none0' }
    await t.throwsAsync(serve({ listen: none, loops: LOOPS }), { code: 'ENODEV' })
  })
}
