/** Every form of an address that `serve`, `connect` or `bind` refuses, and what the message says. */

import test from 'ava'
import { type Address, bind, connect, listener, type MillraceError, serve } from 'millrace'
import { descriptors } from './support/proc.js'
import { LOOPS, start } from './support/serve.js'
import { turns } from './support/turns.js'

const HAS_UNIX = process.platform !== 'win32'
/** The scheme of a host and a port, for each function. */
const SCHEMES = { serve: 'tcp', connect: 'tcp', bind: 'udp' } as const

type Use = keyof typeof SCHEMES

/** Gives an address of any type to serve, connect or bind. */
function give(use: Use, address: unknown): Promise<{ close?: () => Promise<void> }> {
  if (use === 'serve') return serve({ listen: [address as Address], loops: LOOPS })
  if (use === 'bind') return bind({ address: address as Address, loops: LOOPS })
  return connect({ to: address as Address, loops: LOOPS }) as Promise<never>
}

/** A form that every use refuses, and what the message shows, where `tcp` stands for the scheme of the use. */
const REFUSED: [address: unknown, message: string][] = [
  ['1.2.3.4:80', '"1.2.3.4:80" has no scheme: write tcp://1.2.3.4:80'],
  ['localhost:9000', '"localhost:9000" has no scheme: write tcp://localhost:9000'],
  ['localhost', 'has no scheme and no port: write a URL such as tcp://localhost:9000'],
  ['[::1]:80', '"[::1]:80" has no scheme: write tcp://[::1]:80'],
  ['::1', 'write a URL such as tcp://[::1]:9000'],
  ['::1:80', 'write tcp://[::1]:80'],
  [':9000', 'write tcp://:9000'],
  ['', '"" is empty: write a port such as 9000, a URL such as tcp://127.0.0.1:9000'],
  ['  ', 'is blank: write a port such as 9000'],
  [' 80', '" 80" has spaces around it: write 80'],
  ['80\n', 'has spaces around it: write 80'],
  [' tcp://a:80', 'has spaces around it: write tcp://a:80'],
  ['080', '"080" has leading zeros: write 80'],
  ['080000', '"080000" is not a port: a port'],
  ['65536', '"65536" is not a port: a port'],
  ['-1', '"-1" is not a port: a port'],
  ['80.5', '"80.5" is not a port: a port'],
  ['1e3', '"1e3" is not a port: a port'],
  [65536, '65536 is not a port: a port'],
  [-1, '-1 is not a port: a port'],
  [80.5, '80.5 is not a port: a port'],
  [Number.NaN, 'NaN is not a port: a port'],
  [Number.POSITIVE_INFINITY, 'Infinity is not a port: a port'],
  ['http://1.2.3.4:80/x', 'has the unknown scheme http: write tcp://1.2.3.4:80'],
  ['TCP://1.2.3.4:80', 'has the scheme TCP in capital letters: write tcp://1.2.3.4:80'],
  ['a:b:c', 'write a URL such as tcp://127.0.0.1:9000'],
  [undefined, 'undefined is not an address: write a port such as 9000'],
  [null, 'null is not an address: write'],
  [true, 'true is not an address: write'],
  [9000n, '9000n is not an address: write'],
  [() => 9000, 'a function is not an address: write'],
  [Symbol('x'), 'Symbol(x) is not an address: write'],
  [[9000], 'an array is not an address: write'],
  [new URL('tcp://1.2.3.4:80'), 'is a URL object: write a string such as tcp://1.2.3.4:80'],
  ['*:80', 'write tcp://:80'],
  [{ host: '*', port: 80 }, 'write { port: 80 } for all addresses'],
  [{ host: '127.0.0.1%lo', port: 80 }, 'has a zone, which only an IPv6 address has'],
  [{ host: '127.0.0.1%', port: 80 }, 'has a zone, which only an IPv6 address has'],
  [{ host: 'fe80::1%lo%junk', port: 80 }, 'has a zone'],
  [{ port: Object.create(null) }, 'has a port that is not a number'],
  [{ host: 'a' }, '{ host: "a" } has no port: write { host: "a", port: 9000 }'],
  [{ host: 'a:80' }, '{ host: "a:80" } has no port: write { host: "a", port: 80 }'],
  [{ port: '80' }, '{ port: "80" } has a port that is not a number: write { port: 80 }'],
  [{ port: null }, '{ port: null } has a port that is not a number: write { port: 9000 }'],
  [{ port: 65536 }, '{ port: 65536 } has the port 65536: a port'],
  [{ port: -1 }, '{ port: -1 } has the port -1: a port'],
  [{ port: 1.5 }, '{ port: 1.5 } has the port 1.5: a port'],
  [{ port: Number.NaN }, '{ port: NaN } has the port NaN: a port'],
  [{ host: '[::1]', port: 80 }, 'has a host in brackets: write { host: "::1", port: 80 }'],
  [
    { host: 'a:80', port: 80 },
    'has more than a host in its field host: write { host: "a", port: 80 }',
  ],
  [{ host: 'tcp://a', port: 80 }, 'in its field host: write { host: "a", port: 80 }'],
  [{ host: 'a b', port: 80 }, 'has a host with a space, a control character or a non-ASCII letter'],
  [{ host: 7, port: 80 }, 'has a host that is not a string: write { host: "127.0.0.1", port: 80 }'],
]

/** Bad URLs, with `tcp` for the scheme of the use. */
const REFUSED_URLS: [rest: string, message: string][] = [
  ['127.0.0.1:80', 'has no // behind its scheme: write tcp://127.0.0.1:80'],
  ['//', 'has no port: write a URL such as tcp://:9000'],
  ['//127.0.0.1', 'has no port: write a URL such as tcp://127.0.0.1:9000'],
  ['//127.0.0.1:', 'has no port: write a URL such as tcp://127.0.0.1:9000'],
  ['//127.0.0.1:http', 'has a port that is not a number: write a URL such as tcp://127.0.0.1:9000'],
  ['//127.0.0.1:70000', 'has the port 70000: a port'],
  ['//127.0.0.1:0000000080', 'has a port with leading zeros: write tcp://127.0.0.1:80'],
  ['//127.0.0.1:80/path', 'has more than a host and a port: write tcp://127.0.0.1:80'],
  ['//127.0.0.1:80?query', 'has more than a host and a port: write tcp://127.0.0.1:80'],
  ['//user@127.0.0.1:80', 'has more than a host and a port: write tcp://127.0.0.1:80'],
  ['//::1:80', 'has an IPv6 address without brackets: write tcp://[::1]:80'],
  ['//[127.0.0.1]:80', 'has brackets without an IPv6 address: write tcp://127.0.0.1:80'],
  ['//[::1', 'has a bracket that is not closed: write a URL such as tcp://[::1]:9000'],
  ['//a b:80', 'has a space, a control character or a non-ASCII letter: write a URL such as'],
  ['//lоcalhost:80', 'has a space, a control character or a non-ASCII letter: write a URL such as'],
  ['//[fe80::1%nowhere]:80', 'has the zone nowhere, which is not an interface of this machine'],
]

/** Objects that are refused; a `listen` entry has options beside its address, and refuses them otherwise. */
const REFUSED_OBJECTS: [address: object, message: string][] = [
  [{}, '{} has neither a port nor a path: write a port such as 9000'],
  [{ prot: 80 }, '{ prot: 80 } has the unknown field prot: write { port: 9000 }'],
  [{ port: 80, prot: 1 }, 'has the unknown field prot: write { port: 80 }'],
  [{ port: 80, message() {} }, '{ port: 80, message: a function } has the unknown field message'],
  [{ port: {} }, '{ port: {…} } has a port that is not a number: write { port: 9000 }'],
  [{ hostname: 'a', port: 80 }, 'has the unknown field hostname: write { host: "a", port: 80 }'],
  [
    { address: '::1', family: 'IPv6', port: 80 },
    'has the unknown field address: write { host: "::1", port: 80 }',
  ],
]

for (const use of ['serve', 'connect', 'bind'] as const) {
  const scheme = SCHEMES[use]
  const told = (message: string) => message.replaceAll('tcp://', `${scheme}://`)

  test.serial(
    `${use} refuses a bad address, says what is wrong and shows the right form`,
    async (t) => {
      const before = descriptors()
      const cases: [unknown, string][] = [
        ...REFUSED.map(([address, message]) => [address, told(message)] as [unknown, string]),
        ...REFUSED_URLS.map(
          ([rest, message]) => [`${scheme}:${rest}`, told(message)] as [string, string],
        ),
        ...(use === 'serve' ? [] : REFUSED_OBJECTS),
      ]
      for (const [address, message] of cases) {
        // A capital scheme is only written small.
        const expected = String(address).startsWith('TCP:')
          ? message.replace('udp:', 'tcp:')
          : message
        const error = await t.throwsAsync<MillraceError>(give(use, address), undefined, expected)
        t.is(error.code, 'ERR_INVALID_ADDRESS', error.message)
        t.true(error.message.includes(expected), `${error.message}\n${expected}`)
      }
      // Loops that were joined, and not used, end by themselves.
      while (descriptors() !== before) await turns(1)
    },
  )

  if (HAS_UNIX) {
    test(`${use} refuses a bad path, says what is wrong and shows the right form`, async (t) => {
      const long = `/${'x'.repeat(200)}`
      const streams: [unknown, string][] = [
        ['/run/x.sock', 'has no scheme: write unix:///run/x.sock or { path: "/run/x.sock" }'],
        ['./x.sock', 'has no scheme: write unix://./x.sock or { path: "./x.sock" }'],
        ['my.sock', 'has no scheme: write unix://my.sock or { path: "my.sock" }'],
        ['@name', 'has no scheme: write unix://@name or { path: "@name" }'],
        ['unix://', '"unix://" has no path: write one, such as unix:///run/my.sock'],
        ['unix://@', 'has no name behind @'],
        [`unix://${long}`, 'has a path of 201 bytes: write one of at most'],
        [{ path: '' }, '{ path: "" } has no path: write one, such as { path: "/run/my.sock" }'],
        [{ path: '@' }, 'has no name behind @'],
        [{ path: 'a\0b' }, 'has a zero byte in its path'],
        [{ path: long }, 'has a path of 201 bytes: write one of at most'],
        [{ path: 7 }, 'has a path that is not a string: write { path: "/run/my.sock" }'],
        [
          { path: '/x', port: 80 },
          'has both a path and a port: write { path: "/x" } or { port: 80 }',
        ],
        [
          { path: '/x', host: 'a' },
          'has both a path and a host: write { path: "/x" } or { host: "a", port',
        ],
      ]
      const datagrams: [unknown, string][] = [
        ['/run/x.sock', 'write serve({ listen: "unix:///run/x.sock" }) to listen, or connect({ to'],
        [
          'unix:///x',
          'write serve({ listen: "unix:///x" }) to listen, or connect({ to: "unix:///x" })',
        ],
        [
          { path: '/x' },
          'is for streams, and bind takes datagrams: write serve({ listen: { path: "/x" } })',
        ],
      ]
      for (const [address, message] of use === 'bind' ? datagrams : streams) {
        const error = await t.throwsAsync<MillraceError>(give(use, address), undefined, message)
        t.is(error.code, 'ERR_INVALID_ADDRESS')
        t.true(error.message.includes(message), `${error.message}\n${message}`)
      }
    })
  }
}

test('each function refuses the schemes of the others, and names the one to use', async (t) => {
  const cases: [Use, unknown, string][] = [
    ['serve', 'udp://:80', 'write bind({ address: "udp://:80" }), or listen on tcp://:80'],
    [
      'bind',
      'tcp://:80',
      'write serve({ listen: "tcp://:80" }) to listen, or connect({ to: "tcp://:80" })',
    ],
    ['bind', 'tcp://:80', 'or bind({ address: "udp://:80" }) for datagrams'],
    ['bind', 'fd://3', 'write serve({ listen: "fd://3" })'],
    ['connect', 'fd://3', 'write serve({ listen: "fd://3" })'],
    ['connect', 'systemd://web', 'write serve({ listen: "systemd://web" })'],
  ]
  for (const [use, address, message] of cases) {
    const error = await t.throwsAsync<MillraceError>(give(use, address))
    t.is(error.code, 'ERR_INVALID_ADDRESS')
    t.true(error.message.includes(message), error.message)
  }
})

test('connect refuses port 0 in every form', async (t) => {
  for (const to of [0, '0', { port: 0 }, 'tcp://127.0.0.1:0', 'udp://127.0.0.1:0']) {
    const error = await t.throwsAsync<MillraceError>(give('connect', to))
    t.is(error.code, 'ERR_INVALID_ADDRESS')
    t.true(error.message.includes('a whole number from 1 to 65535'), error.message)
  }
})

test('a listener says exactly once where to listen', async (t) => {
  const cases: [object, string, string][] = [
    [{ address: 0, port: 0 }, 'ERR_INVALID_ADDRESS', 'both address (0) and port'],
    [{ address: 'tcp://:0', host: 'a', path: '/x' }, 'ERR_INVALID_ADDRESS', 'and host and path'],
    [{ port: 0, path: '/x' }, 'ERR_INVALID_ADDRESS', 'has both a path and a port'],
    [{ host: 'a', noDelay: true }, 'ERR_INVALID_ADDRESS', '{ host: "a" } has no port'],
    [{ prot: 0 }, 'ERR_INVALID_ADDRESS', 'does not say where to listen (it has prot)'],
    [{}, 'ERR_INVALID_ADDRESS', 'does not say where to listen: write one of port'],
    [{ address: { port: 0, prot: 0 } }, 'ERR_INVALID_ADDRESS', 'has the unknown field prot'],
    [{ address: { address: 0 } }, 'ERR_INVALID_ADDRESS', 'has the unknown field address'],
    [{ port: 0, prot: 0 }, 'ERR_INVALID_OPTION', 'there is no option prot of a listener'],
  ]
  const server = await start(t, {})
  for (const [entry, code, message] of cases) {
    const given = entry as { port: number }
    for (const tried of [
      () => serve({ listen: given, loops: LOOPS }),
      () => serve({ listen: [0, given], loops: LOOPS }),
      () => serve({ listen: listener(given), loops: LOOPS }),
      () => server.listen(given),
    ]) {
      const error = await t.throwsAsync<MillraceError>(tried())
      t.is(error.code, code, error.message)
      t.true(error.message.includes(message), error.message)
    }
  }
  t.is(server.listeners.length, 1)
})

test('a URL with the host * or with a zone behind IPv4 is refused with the right form', async (t) => {
  for (const [url, message] of [
    ['tcp://*:80', 'has the host *'],
    ['tcp://*:80', 'write tcp://:80'],
    ['tcp://127.0.0.1%lo:80', 'has a zone, which only an IPv6 address in brackets has'],
    ['tcp://127.0.0.1%lo:80', 'write tcp://127.0.0.1:80'],
  ] as const) {
    const error = await t.throwsAsync<MillraceError>(give('serve', url))
    t.is(error?.code, 'ERR_INVALID_ADDRESS')
    t.true(error?.message.includes(message), error?.message)
  }
})

test('a zone behind an IPv4 address that is written as IPv6 is refused with the right form', async (t) => {
  for (const use of ['serve', 'connect', 'bind'] as const) {
    const scheme = use === 'bind' ? 'udp' : 'tcp'
    const url = `${scheme}://[::ffff:127.0.0.1%lo]:80`
    await t.throwsAsync(give(use, url), {
      code: 'ERR_INVALID_ADDRESS',
      message: `"${url}" has a zone, which only an IPv6 address in brackets has: write ${scheme}://[::ffff:127.0.0.1]:80`,
    })
    await t.throwsAsync(give(use, { host: '::ffff:127.0.0.1%lo', port: 80 }), {
      code: 'ERR_INVALID_ADDRESS',
      message:
        /^{.*} has a zone, which only an IPv6 address has: write { host: "::ffff:127.0.0.1", port: 80 }$/,
    })
  }
})

test('a hole in a list of addresses is not an address', async (t) => {
  const sparse = new Array(2)
  sparse[1] = 'tcp://127.0.0.1:0'
  await t.throwsAsync(serve({ listen: sparse, loops: LOOPS }), { code: 'ERR_INVALID_ADDRESS' })
})
