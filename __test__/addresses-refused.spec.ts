import { once } from 'node:events'
import net from 'node:net'
import test from 'ava'
import { type MillraceError, serve } from 'millrace'
import { closed, connect } from './support/client.js'
import { descriptors } from './support/proc.js'
import { LOOPS, start } from './support/serve.js'

/** Invalid addresses. */
const REFUSED: readonly [string, unknown][] = [
  ['without a scheme', '127.0.0.1:9000'],
  ['empty', ''],
  ['with a scheme that servers do not support', 'udp://127.0.0.1:0'],
  ['with a path', 'tcp://127.0.0.1:0/path'],
  ['with a trailing slash', 'tcp://127.0.0.1:0/'],
  ['with a query', 'tcp://127.0.0.1:0?x'],
  ['with a user', 'tcp://user@127.0.0.1:0:0'],
  ['without a port', 'tcp://127.0.0.1'],
  ['with an empty port', 'tcp://127.0.0.1:'],
  ['with a port over 65535', 'tcp://127.0.0.1:70000'],
  ['with a port that is too long', 'tcp://127.0.0.1:0000000080'],
  ['with a negative port', 'tcp://127.0.0.1:-1'],
  ['with a port that is not a number', 'tcp://127.0.0.1:http'],
  ['IPv6 without brackets', 'tcp://::1:0'],
  ['IPv4 in brackets', 'tcp://[127.0.0.1]:0'],
  ['with empty brackets', 'tcp://[]:0'],
  ['with an unclosed bracket', 'tcp://[::1:0'],
  ['with an unknown zone', 'tcp://[fe80::1%nowhere]:0'],
  ['with a space in its host', 'tcp://local host:0'],
  ['with a leading space', ' tcp://127.0.0.1:0'],
  ['with a trailing space', 'tcp://127.0.0.1:0 '],
  ['with a line break', 'tcp://127.0.0.1\n:0'],
  ['with a trailing line break', 'tcp://127.0.0.1:0\n'],
  ['with a zero byte', 'tcp://127.0.0.1\0:0'],
  ['with a control character', 'tcp://127.0.0.1\x7f:0'],
  ['with a letter of another script', 'tcp://lоcalhost:0'],
  ['null', null],
  ['an object without a port', { host: '127.0.0.1' }],
  ['a URL', new URL('tcp://127.0.0.1:0')],
]

/** Invalid addresses of Unix sockets, and of inherited ones. */
const REFUSED_PATHS = ['unix:', 'unix://', 'unix://@', 'unix:///a\0b', `unix:///${'x'.repeat(200)}`]
const REFUSED_DESCRIPTORS = ['fd:', 'fd://', 'fd://x', 'fd://1/2', 'systemd:', 'systemd://a/b']

test.serial(
  'T7 invalid addresses are refused with their own code and leave no descriptor open',
  async (t) => {
    const isUnix = process.platform !== 'win32'
    const more = isUnix ? [...REFUSED_PATHS, ...REFUSED_DESCRIPTORS] : []
    const server = await start(t, { message() {} })
    const before = descriptors()
    for (const address of [...REFUSED.map(([, each]) => each as string), ...more]) {
      const expected = { code: 'ERR_INVALID_ADDRESS' }
      // On its own, after a valid address, in a listener spec, and added to a running server.
      await t.throwsAsync(serve({ listen: [address], loops: LOOPS }), expected, String(address))
      const listen = ['tcp://127.0.0.1:0', address]
      await t.throwsAsync(serve({ listen, loops: LOOPS }), expected, String(address))
      await t.throwsAsync(serve({ listen: [{ address }], loops: LOOPS }), expected, String(address))
      await t.throwsAsync(server.listen(address), expected, String(address))
    }
    t.is(descriptors(), before)
    t.is(server.listeners.length, 1)
  },
)

for (const [what, address] of REFUSED) {
  test(`an invalid address is refused: ${what}`, async (t) => {
    const listen = [address] as string[]
    await t.throwsAsync(serve({ listen, loops: LOOPS }), { code: 'ERR_INVALID_ADDRESS' })
  })
}

test("an unknown host rejects with the resolver's code", async (t) => {
  const error = (await t.throwsAsync(
    serve({ listen: 'tcp://no-such-host.invalid:0', loops: LOOPS }),
  )) as MillraceError
  t.regex(error.code, /^(ENOTFOUND|EAI_\w+)$/)
  t.is(error.name, 'MillraceError')
  t.is(error.address, 'no-such-host.invalid')
  t.is((error.cause as NodeJS.ErrnoException).code, error.code)
})

test('a port in use rejects with the same code, syscall, address and port as in Node', async (t) => {
  const taken = net.createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as net.AddressInfo
  const other = net.createServer()
  other.listen(port, '127.0.0.1')
  const [expected] = (await once(other, 'error').catch((error) => [error])) as [
    NodeJS.ErrnoException,
  ]
  const error = (await t.throwsAsync(
    serve({ listen: `tcp://127.0.0.1:${port}`, loops: LOOPS }),
  )) as MillraceError
  const fields = ({ code, errno, syscall, address, port }: Record<string, unknown>) => ({
    code,
    errno,
    syscall,
    address,
    port,
  })
  t.deepEqual(
    fields(error as unknown as Record<string, unknown>),
    fields(expected as unknown as Record<string, unknown>),
  )
  t.is(error.code, 'EADDRINUSE')
  t.true(error.message.includes(`127.0.0.1:${port}`))
})

test('an address that this machine does not have rejects with EADDRNOTAVAIL', async (t) => {
  // TEST-NET-1: no machine has this address.
  const listen = 'tcp://192.0.2.1:0'
  await t.throwsAsync(serve({ listen, loops: LOOPS }), { code: 'EADDRNOTAVAIL' })
})

test('a list of addresses that fails in the middle leaves nothing bound', async (t) => {
  const taken = net.createServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const { port } = taken.address() as net.AddressInfo
  const free = await start(t, { message() {} })
  await free.close()
  const listen = [`tcp://127.0.0.1:${free.port}`, `tcp://127.0.0.1:${port}`, 'tcp://127.0.0.1:0']
  await t.throwsAsync(serve({ listen, loops: LOOPS }), { code: 'EADDRINUSE' })
  await t.throwsAsync(connect(free.port), { code: 'ECONNREFUSED' })
  // The port can be bound again at once.
  const again = await start(t, { listen: `tcp://127.0.0.1:${free.port}`, message() {} })
  t.is(again.port, free.port)
})

test('the same address twice in one list rejects with EADDRINUSE', async (t) => {
  const free = await start(t, { message() {} })
  await free.close()
  const address = `tcp://127.0.0.1:${free.port}`
  await t.throwsAsync(serve({ listen: [address, address], loops: LOOPS }), { code: 'EADDRINUSE' })
  await t.throwsAsync(connect(free.port), { code: 'ECONNREFUSED' })
})

test('a server can start on the port of a server that has just closed', async (t) => {
  let port = 0
  for (let round = 0; round < 3; round++) {
    const server = await start(t, {
      listen: `tcp://127.0.0.1:${port}`,
      // The server ends first, so TIME_WAIT is on its side.
      open: (conn) => conn.end('bye'),
      message() {},
    })
    port = server.port
    const socket = await connect(port)
    socket.resume()
    await closed(socket)
    await server.close()
  }
  t.pass()
})
