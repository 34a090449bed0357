/** Whatever is thrown, the other connections of a loop go on. */

import test from 'ava'
import { type Conn, lengthField, line, MillraceError } from 'millrace'
import { closed, connect } from './support/client.js'
import { bound, peer } from './support/datagrams.js'
import { gate } from './support/gate.js'
import { ONE, start } from './support/serve.js'

/** Values that throw when something is asked of them. */
const NASTY: readonly (readonly [string, () => unknown])[] = [
  [
    'a revoked proxy',
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      return proxy
    },
  ],
  [
    'an error whose code throws',
    () =>
      Object.defineProperty(new Error('nasty'), 'code', {
        get() {
          throw new Error('no code')
        },
      }),
  ],
  [
    'an error of ours whose code throws',
    () =>
      Object.defineProperty(new MillraceError('ERR_CLOSED', 'nasty'), 'code', {
        get() {
          throw new Error('no code')
        },
      }),
  ],
  [
    'a proxy of an error of ours that throws itself',
    () => {
      const proxy: object = new Proxy(new MillraceError('ERR_CLOSED', 'nasty'), {
        get() {
          throw proxy
        },
      })
      return proxy
    },
  ],
  [
    'an error whose name is an object without text',
    () => Object.assign(new Error('nasty'), { name: Object.create(null) }),
  ],
  ['an object without a prototype', () => Object.create(null)],
]

const HANDLERS = ['open', 'message', 'end', 'close'] as const

for (const [what, make] of NASTY) {
  for (const where of HANDLERS) {
    for (const has of ['with error', 'without error'] as const) {
      test.serial(`${what}, thrown by ${where} ${has}, ends only its connection`, async (t) => {
        const codes: string[] = []
        const server = await start<Buffer, string>(t, {
          loops: ONE,
          codec: line(),
          open: (conn) => fails('open', conn),
          message(conn, text) {
            fails('message', conn)
            conn.write(String(text))
          },
          end: (conn) => fails('end', conn),
          ...(where === 'close' ? { close: (conn: Conn) => fails('close', conn) } : {}),
          ...(has === 'with error' ? { error: (error) => codes.push(typeof error) } : {}),
        })
        let bad: string | undefined
        function fails(at: (typeof HANDLERS)[number], conn: { remotePort?: number | undefined }) {
          bad ??= String(conn.remotePort)
          if (at === where && bad === String(conn.remotePort)) throw make()
        }
        const first = await connect(server.port)
        first.on('error', () => {}).resume()
        first.end('hello\n')
        await closed(first)
        const second = await connect(server.port)
        second.write('still there\n')
        const [echo] = await new Promise<Buffer[]>((resolve) => {
          second.once('data', (chunk) => resolve([chunk]))
        })
        t.is(String(echo), 'still there\n')
        second.destroy()
        await server.close()
        if (has === 'with error') t.is(codes.length, 1)
      })
    }
  }
}

test.serial('a frame for which there is no memory ends only its connection', async (t) => {
  const opened = gate()
  const over = gate<Error | undefined>()
  const server = await start<Buffer, string>(t, {
    loops: ONE,
    codec: lengthField({ bytes: 4, max: 4 << 20 }),
    message: (conn, body) => void conn.write(String(body)),
    open: () => opened.open(),
    close: (_conn, error) => over.open(error),
  })
  const socket = await connect(server.port)
  socket.on('error', () => {}).resume()
  await opened.passed
  const other = await connect(server.port)
  const { allocUnsafeSlow } = Buffer
  Buffer.allocUnsafeSlow = () => {
    throw new RangeError('Array buffer allocation failed')
  }
  try {
    // More than a ring takes as one record, so the frame comes in parts.
    socket.write(Buffer.concat([Buffer.from([0, 0x20, 0, 0]), Buffer.alloc(2 << 20)]))
    t.is((await over.passed)?.message, 'Array buffer allocation failed')
  } finally {
    Buffer.allocUnsafeSlow = allocUnsafeSlow
  }
  other.write(Buffer.from([0, 0, 0, 2, 104, 105]))
  const echo = await new Promise<Buffer>((resolve) => other.once('data', resolve))
  t.is(echo.toString('latin1'), '\0\0\0\x02hi')
  other.destroy()
})

test.serial(
  'a datagram whose handlers throw what they like leaves the next ones alone',
  async (t) => {
    for (const [, make] of NASTY) {
      const last = gate<string>()
      const socket = await bound<Buffer, string>(t, {
        loops: ONE,
        message(_socket, bytes) {
          if (String(bytes) === 'bad') throw make()
          last.open(String(bytes))
        },
        error() {
          throw make()
        },
      })
      const { send } = await peer(t)
      send('bad', socket.port)
      send('good', socket.port)
      t.is(await last.passed, 'good')
    }
  },
)
