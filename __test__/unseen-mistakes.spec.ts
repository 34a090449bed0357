/** Mistakes of the user's code that come at an odd moment, or look like a peer's, are told all the same. */

import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { type CodedError, type Conn, fixed, MillraceError, type ServeOptions } from 'millrace'
import { connect, readAll } from './support/client.js'
import { gate } from './support/gate.js'
import { start } from './support/serve.js'

type Options = Partial<ServeOptions<Buffer, Uint8Array | string, undefined>>

/** What the user's code does wrong once a client has sent four bytes, and what the error says. */
interface Mistake {
  readonly says: RegExp
  options(left: Promise<void>): Options
}

const MISTAKES: Readonly<Record<string, Mistake>> = {
  'a write that the framing refuses': {
    says: /every frame must have 4/,
    options: () => ({ message: (conn: Conn<Buffer>) => void conn.write('too long') }),
  },
  'a decode that reads past its end': {
    says: /past the end/,
    options: () => ({
      codec: { ...fixed(4), decode: (from) => from.bytes(5) },
      message() {},
    }),
  },
  'a throw after destroy()': {
    says: /mine/,
    options: () => ({
      message(conn: Conn<Buffer>) {
        conn.destroy()
        throw new Error('mine')
      },
    }),
  },
  'a rejection after destroy()': {
    says: /mine/,
    options: () => ({
      async message(conn: Conn<Buffer>) {
        conn.destroy()
        await conn.flushed().catch(() => {})
        throw new Error('mine')
      },
    }),
  },
  'a rejection after the peer has left': {
    says: /mine/,
    options: (left) => ({
      async message() {
        await left
        throw new Error('mine')
      },
    }),
  },
}

/** Makes that mistake in a server with these handlers. The peer leaves with a reset. */
async function make(t: ExecutionContext, { options }: Mistake, handlers: Options) {
  const left = gate()
  const server = await start<Buffer>(t, {
    codec: fixed(4),
    ...options(left.passed),
    ...handlers,
  } as Options)
  const socket = await connect(server.port)
  socket.write('four')
  const [conn] = server
  if (/left/.test(String(options))) {
    // Once the message was delivered, and before its promise settles.
    while ((conn?.bytesRead ?? 4) < 4) await new Promise(setImmediate)
    socket.resetAndDestroy()
    while (server.connections > 0) await new Promise(setImmediate)
    left.open()
  } else {
    await readAll(socket)
  }
}

for (const [what, mistake] of Object.entries(MISTAKES)) {
  test.serial(`${what} becomes a warning without handlers`, async (t) => {
    const warned = once(process, 'warning')
    await make(t, mistake, {})
    const [warning] = (await warned) as [Error]
    t.regex(warning.message, mistake.says)
  })

  test.serial(`${what} is told to the handler error`, async (t) => {
    const told = gate<CodedError>()
    await make(t, mistake, { error: (error) => told.open(error) })
    t.regex((await told.passed).message, mistake.says)
  })
}

test.serial('a throw after destroy() is what close is told', async (t) => {
  const told = gate<CodedError | undefined>()
  const mistake = MISTAKES['a throw after destroy()'] as Mistake
  await make(t, mistake, { close: (_conn, error) => told.open(error) })
  t.regex((await told.passed)?.message ?? '', /mine/)
})

test.serial(
  'a handler that waits for output of a connection that ends is no mistake',
  async (t) => {
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    t.teardown(() => process.off('warning', onWarning))
    const settled = gate<unknown>()
    const others: Conn<Buffer>[] = []
    const server = await start<Buffer>(t, {
      highWaterMark: 1,
      open: (conn) => void others.push(conn),
      async message(conn) {
        const other = others.find((each) => each !== conn)
        other?.write(Buffer.alloc(8 << 20))
        try {
          await other?.drained()
        } catch (error) {
          settled.open(error)
          throw error
        }
      },
    })
    const sockets = [await connect(server.port), await connect(server.port)]
    sockets[0]?.write('to the other')
    while ((others[0]?.bytesRead ?? 0) === 0) await new Promise(setImmediate)
    await server.close({ timeout: 0 })
    t.true((await settled.passed) instanceof MillraceError)
    await new Promise(setImmediate)
    t.deepEqual(warnings, [])
    for (const socket of sockets) socket.destroy()
  },
)
