import test from 'ava'
import { line } from 'millrace'
import { closed, connect, read, readAll } from './support/client.js'
import { gate, tally } from './support/gate.js'
import { start } from './support/serve.js'

test('the handlers of a connection are called in order: context, open, messages, and close once', async (t) => {
  const seen: string[] = []
  const ended = gate()
  const server = await start<Buffer, string, string>(t, {
    codec: line(),
    context: () => {
      seen.push('context')
      return 'mine'
    },
    open(conn) {
      seen.push(`open ${conn.context} ${conn.readyState}`)
    },
    message(conn, text) {
      seen.push(text.toString())
      if (text.toString() === '3') conn.close()
    },
    close(conn, error) {
      seen.push(`close ${error} ${conn.readyState}`)
      ended.open()
    },
  })
  const socket = await connect(server.port)
  socket.end('1\n2\n3\n4\n')
  await readAll(socket)
  await ended.passed
  await server.close()
  t.deepEqual(seen, ['context', 'open mine open', '1', '2', '3', 'close undefined closed'])
})

test('data written in open is sent before the replies to data that is already there', async (t) => {
  const connections = 200
  const server = await start<Buffer, string>(t, {
    codec: line(),
    open(conn) {
      conn.write('hello')
      void Promise.resolve().then(() => conn.write('soon'))
    },
    message(conn, text) {
      conn.write(`you said ${text}`)
    },
  })
  const replies = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = await connect(server.port)
      socket.end('a\nb\n')
      return (await readAll(socket)).toString()
    }),
  )
  for (const reply of replies) {
    t.true(reply.startsWith('hello\n'))
    t.deepEqual(
      reply.split('\n').filter((text) => text.startsWith('you')),
      ['you said a', 'you said b'],
    )
  }
})

test('messages of pipelining clients arrive in order, and so do the replies', async (t) => {
  const connections = 50
  const messages = 2000
  const next = new Map<number, number>()
  const closes = tally<number>(connections)
  const server = await start<Buffer, string>(t, {
    codec: line(),
    message(conn, text) {
      const expected = next.get(conn.id) ?? 0
      if (Number(text) !== expected) t.fail(`${text} where ${expected} was due`)
      next.set(conn.id, expected + 1)
      conn.write(text.toString())
    },
    close(conn) {
      closes.hit(conn.id)
    },
  })
  const stream = Array.from({ length: messages }, (_, at) => `${at}\n`).join('')
  const replies = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = await connect(server.port)
      socket.end(stream)
      return (await readAll(socket)).toString()
    }),
  )
  t.deepEqual(new Set(replies), new Set([stream]))
  t.is(new Set(await closes.all).size, connections)
})

test('writes from handlers, promises and timers are sent in the order of the calls', async (t) => {
  const calls: string[] = []
  const server = await start<Buffer, string>(t, {
    codec: line(),
    message(conn, text) {
      const write = (from: string) => {
        calls.push(`${from} ${text}`)
        conn.write(`${from} ${text}`)
      }
      write('handler')
      void Promise.resolve().then(() => write('promise'))
      process.nextTick(() => write('tick'))
      setImmediate(() => {
        write('immediate')
        if (text.toString() === '99') conn.end()
      })
    },
  })
  const socket = await connect(server.port)
  socket.write(Array.from({ length: 100 }, (_, at) => `${at}\n`).join(''))
  const reply = await readAll(socket)
  t.is(calls.length, 400)
  t.deepEqual(reply.toString().trimEnd().split('\n'), calls)
})

test('async handlers are called in order and not awaited', async (t) => {
  const seen: string[] = []
  const first = gate()
  const server = await start<Buffer, string>(t, {
    codec: line(),
    async message(conn, text) {
      seen.push(`begin ${text}`)
      if (text.toString() === '1') await first.passed
      else first.open()
      seen.push(`end ${text}`)
      conn.write(text.toString())
    },
  })
  const socket = await connect(server.port)
  socket.end('1\n2\n')
  t.is((await readAll(socket)).toString(), '2\n1\n')
  t.deepEqual(seen, ['begin 1', 'begin 2', 'end 2', 'end 1'])
})

test('a buffer can be changed as soon as write returns', async (t) => {
  const server = await start(t, {
    message(conn) {
      const buffer = Buffer.alloc(100_000)
      for (let at = 0; at < 10; at++) {
        buffer.fill(48 + at)
        conn.write(buffer)
      }
      buffer.fill('x')
      conn.end()
    },
  })
  const socket = await connect(server.port)
  socket.write('go')
  const got = await readAll(socket)
  const expected = Buffer.concat(
    Array.from({ length: 10 }, (_, at) => Buffer.alloc(100_000, 48 + at)),
  )
  t.true(got.equals(expected))
})

test('destroy in a handler drops the rest of the batch, of that connection only', async (t) => {
  const seen: string[] = []
  const ended = gate()
  const server = await start<Buffer, string>(t, {
    codec: line(),
    message(conn, text) {
      seen.push(text.toString())
      if (text.toString() === 'stop') conn.destroy()
      else conn.write(text.toString())
    },
    close: () => ended.open(),
  })
  const [honest, other] = [await connect(server.port), await connect(server.port)]
  other.write('stop\nnever\nnever\n')
  await Promise.all([ended.passed, closed(other.resume())])
  honest.write('still here\n')
  t.is((await read(honest, 11)).toString(), 'still here\n')
  t.deepEqual(seen, ['stop', 'still here'])
})
