/** The two halves of a connection end apart: `end`, `close`, `reset`, and the handler `end`. */

import type net from 'node:net'
import test from 'ava'
import { type Conn, line } from 'millrace'
import { closed, connect, connectHalfOpen, read, readAll, readHalf } from './support/client.js'
import { dial, peer } from './support/dial.js'
import { bodyOf, FRAMINGS } from './support/framings.js'
import { codeOf, gate } from './support/gate.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

const MIB = 1 << 20

/** Records the handlers that run, with the state of the connection. */
function recorder(names: readonly ('open' | 'message' | 'end')[]) {
  const seen: string[] = []
  const ended = gate<Error | undefined>()
  const note = (name: string) => (conn: Conn) => void seen.push(`${name} ${conn.readyState}`)
  return {
    seen,
    ended: ended.passed,
    handlers: {
      ...Object.fromEntries(names.map((name) => [name, note(name)])),
      close(conn: Conn, error?: Error) {
        seen.push(`close ${conn.readyState}`)
        ended.open(error)
      },
    },
  }
}

for (const allowHalfOpen of [false, true]) {
  test(`end runs once, after all messages and before our half ends (allowHalfOpen: ${allowHalfOpen})`, async (t) => {
    const { seen, ended, handlers } = recorder(['open', 'message'])
    const server = await start(t, {
      codec: line(),
      allowHalfOpen,
      ...handlers,
      end(conn) {
        seen.push(`end ${conn.readyState}`)
        t.true(conn.write('a last word'))
        if (allowHalfOpen) conn.end()
      },
    })
    const socket = await connectHalfOpen(server.port)
    socket.end('1\n2\n')
    t.is((await readHalf(socket)).toString(), 'a last word\n')
    t.is(await ended, undefined)
    t.deepEqual(seen, [
      'open open',
      'message open',
      'message open',
      'end writeOnly',
      'close closed',
    ])
  })
}

for (const each of FRAMINGS) {
  test(`end runs after the messages of ${each.name}, and not if the stream was cut`, async (t) => {
    const whole = each.wire(bodyOf(each.size ?? 5, 0))
    for (const cut of each.name === 'raw' ? [0] : [0, 1]) {
      const { seen, ended, handlers } = recorder(['message', 'end'])
      const server = await start(t, { codec: each.codec(2000), ...handlers })
      const socket = await connectHalfOpen(server.port)
      socket.end(Buffer.concat([whole, whole.subarray(0, cut * (whole.length - 1))]))
      await closed(socket.resume())
      t.is(codeOf(await ended), cut ? 'ERR_FRAME_INCOMPLETE' : undefined)
      t.deepEqual(seen, ['message open', ...(cut ? [] : ['end writeOnly']), 'close closed'])
    }
  })
}

test('end may run while promises of message are pending, and our half waits for its promise too', async (t) => {
  const [first, second, told] = [gate(), gate(), gate()]
  const server = await start(t, {
    codec: line(),
    async message(conn) {
      await first.passed
      conn.write('first')
    },
    async end(conn) {
      told.open()
      await second.passed
      conn.write('second')
    },
  })
  const socket = await connectHalfOpen(server.port)
  socket.end('x\n')
  await told.passed
  first.open()
  t.is((await read(socket, 6)).toString(), 'first\n')
  second.open()
  t.is((await readHalf(socket)).toString(), 'second\n')
})

test('a throw in end destroys the connection, and its close gets the error', async (t) => {
  const ended = gate<Error | undefined>()
  const mine = new Error('mine')
  const server = await start(t, {
    message() {},
    end() {
      throw mine
    },
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  socket.end()
  t.is(await ended.passed, mine)
})

/** Ends of a connection that are not the peer's FIN in good order. */
const WITHOUT_END: Record<string, (conn: Conn, socket: net.Socket, close: () => void) => void> = {
  close: (conn, socket) => {
    conn.close()
    socket.end()
  },
  destroy: (conn) => conn.destroy(),
  reset: (conn) => conn.reset(),
  'a reset by the peer': (_conn, socket) => void socket.resetAndDestroy(),
  'the end of the server': (_conn, _socket, close) => close(),
}

for (const [name, way] of Object.entries(WITHOUT_END)) {
  test(`the handler end does not run after ${name}`, async (t) => {
    const opened = gate<Conn>()
    const ended = gate()
    const server = await start(t, {
      message() {},
      open: (conn) => opened.open(conn),
      end: () => t.fail(),
      close: () => ended.open(),
    })
    const socket = await connect(server.port)
    socket.resume()
    way(await opened.passed, socket, () => void server.close())
    await ended.passed
    t.pass()
  })
}

test('the iteration of a pulled connection goes on after end, until the peer ends', async (t) => {
  const got = gate<string[]>()
  const ended = gate<Error | undefined>()
  const server = await start(t, {
    codec: line(),
    async open(conn) {
      const texts: string[] = []
      for await (const text of conn) {
        texts.push(text.toString())
        if (texts.length === 1) conn.end('that was all')
        t.false(conn.write('never'))
      }
      got.open(texts)
    },
    end: (conn) => t.is(conn.readyState, 'closing'),
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connectHalfOpen(server.port)
  socket.write('1\n')
  t.is((await readHalf(socket)).toString(), 'that was all\n')
  for (let n = 2; n < 100; n++) socket.write(`${n}\n`)
  socket.end('100\n')
  t.deepEqual(
    await got.passed,
    Array.from({ length: 100 }, (_, n) => `${n + 1}`),
  )
  t.is(await ended.passed, undefined)
})

test('a paused connection that has ended its half still delivers after resume', async (t) => {
  const opened = gate<Conn>()
  const ended = gate()
  const seen: string[] = []
  const server = await start(t, {
    codec: line(),
    open(conn) {
      conn.pause()
      conn.end('bye')
      opened.open(conn)
    },
    message: (_conn, text) => void seen.push(text.toString()),
    close: () => ended.open(),
  })
  const socket = await connectHalfOpen(server.port)
  t.is((await readHalf(socket)).toString(), 'bye\n')
  socket.end('1\n2\n')
  await turns(5)
  t.deepEqual(seen, [])
  ;(await opened.passed).resume()
  await ended.passed
  t.deepEqual(seen, ['1', '2'])
})

test('an end at which nothing is held back does not wait for resume once our half has ended', async (t) => {
  const ended = gate<Error | undefined>()
  const server = await start(t, {
    message() {},
    open(conn) {
      conn.pause()
      conn.end('bye')
    },
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  t.is((await readHalf(socket)).toString(), 'bye')
  t.is(await ended.passed, undefined)
})

for (const way of ['after the FIN', 'before the FIN'] as const) {
  test(`a promise of a handler holds a connection whose halves have both ended (${way})`, async (t) => {
    const [asked, answered, ended] = [gate<Conn>(), gate(), gate()]
    const server = await start(t, {
      codec: line(),
      allowHalfOpen: true,
      async message(conn) {
        if (way === 'before the FIN') conn.end()
        asked.open(conn)
        await answered.passed
      },
      end(conn) {
        if (way === 'after the FIN') conn.end()
      },
      close: () => ended.open(),
    })
    const socket = await connectHalfOpen(server.port)
    socket.end('x\n')
    const conn = await asked.passed
    t.is((await readHalf(socket)).length, 0)
    await turns(10)
    t.is(conn.readyState, 'closing')
    t.is(server.connections, 1)
    answered.open()
    await ended.passed
    t.is(conn.readyState, 'closed')
  })
}

test('a frame cut by FIN makes no warning and loses no reply if it is thrown by a pull in open', async (t) => {
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  t.teardown(() => process.off('warning', note))
  for (const allowHalfOpen of [false, true]) {
    const server = await start(t, {
      codec: line({ max: 8 * MIB }),
      allowHalfOpen,
      async open(conn) {
        for await (const text of conn) conn.write(Buffer.alloc(4 * MIB, text as Buffer))
      },
    })
    const socket = await connectHalfOpen(server.port)
    socket.end('x\ncut')
    t.is((await readHalf(socket)).length, 4 * MIB + 1)
    await server.close()
  }
  await turns(5)
  t.deepEqual(warnings, [])
})

test('reset reaches the peer as a reset', async (t) => {
  const ended = gate<Error | undefined>()
  const mine = new Error('mine')
  const server = await start(t, {
    message(conn) {
      // Without a write before it: Node takes a reset behind bytes for an end in good order.
      conn.reset(mine)
      conn.reset()
      t.is(conn.readyState, 'closed')
    },
    close: (_conn, error) => ended.open(error),
  })
  const socket = await connect(server.port)
  socket.write('x')
  await t.throwsAsync(readHalf(socket), { code: 'ECONNRESET' })
  t.is(await ended.passed, mine)
})

test('a dialled connection has two halves as well', async (t) => {
  const to = await peer(t, 'tcp', (socket) => {
    socket.on('end', () => socket.end('the answer'))
    socket.resume()
  })
  const chunks: Buffer[] = []
  const ended = gate<Error | undefined>()
  const conn = await dial(t, {
    to,
    message: (_conn, chunk) => void chunks.push(chunk),
    close: (_conn, error) => ended.open(error),
  })
  conn.end('the question')
  t.is(conn.readyState, 'readOnly')
  t.is(await ended.passed, undefined)
  t.is(Buffer.concat(chunks).toString(), 'the answer')
})

test('with allowHalfOpen a connection stays open after the peer’s FIN until it ends itself', async (t) => {
  const opened = gate<Conn>()
  const ended = gate()
  const server = await start(t, {
    allowHalfOpen: true,
    open: (conn) => opened.open(conn),
    message() {},
    end: () => ended.open(),
  })
  const socket = await connectHalfOpen(server.port)
  socket.end('hello')
  await ended.passed
  const conn = await opened.passed
  conn.write('one ')
  await read(socket, 4)
  t.is(conn.readyState, 'writeOnly')
  conn.write('two ')
  conn.end('three')
  t.is((await readAll(socket)).toString(), 'two three')
  await closed(socket)
})

for (const allowHalfOpen of [false, true]) {
  test(`messages still arrive after end (allowHalfOpen: ${allowHalfOpen})`, async (t) => {
    const seen: string[] = []
    const ended = gate<Error | undefined>()
    const server = await start<Buffer, string | Uint8Array>(t, {
      codec: line(),
      allowHalfOpen,
      message(conn, text) {
        seen.push(text.toString())
        conn.end(`got ${text}`)
        t.is(conn.readyState, 'readOnly')
      },
      close: (_, error) => ended.open(error),
    })
    const socket = await connectHalfOpen(server.port)
    socket.write('a\nb\n')
    t.is((await read(socket, 6)).toString(), 'got a\n')
    socket.end('c\nd\n')
    t.is(await ended.passed, undefined)
    t.deepEqual(seen, ['a', 'b', 'c', 'd'])
  })
}
