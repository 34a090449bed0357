import { randomBytes } from 'node:crypto'
import type net from 'node:net'
import test from 'ava'
import { type Conn, connect, json, lengthField, line, type MillraceError, serve } from 'millrace'
import { Count } from './support/counts.js'
import { blackhole, deadPort, dial, path, peer } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { millraceThreadsOf } from './support/proc.js'
import { LOOPS, RING_BYTES, start } from './support/serve.js'

const isLinux = process.platform === 'linux'
const linux = isLinux ? test : test.skip
/** Alone, since it counts the threads of the process. */
const serialLinux = isLinux ? test.serial : test.skip
const KINDS = process.platform === 'win32' ? (['tcp'] as const) : (['tcp', 'unix'] as const)

/** Turns of Node's loop, in which whatever is on its way has its chance. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}

for (const kind of KINDS) {
  test(`bytes go both ways over ${kind}, and both ends say who they are`, async (t) => {
    const size = 3 << 20
    const [ours, theirs] = [randomBytes(size), randomBytes(size)]
    const arrived = gate<Buffer>()
    const to = await peer(t, kind, (socket) => {
      const chunks: Buffer[] = []
      socket.on('data', (chunk) => chunks.push(chunk))
      socket.on('end', () => arrived.open(Buffer.concat(chunks)))
      socket.end(theirs)
    })
    const chunks: Buffer[] = []
    const closed = gate<Error | undefined>()
    const conn = await dial(t, {
      to,
      maxWriteBuffer: 4 << 20,
      allowHalfOpen: true,
      message: (_conn, chunk) => void chunks.push(chunk),
      close: (_conn, error) => closed.open(error),
    })
    t.is(conn.remote, kind === 'tcp' ? to.replace('tcp://', '') : to.replace('unix://', 'unix:'))
    t.is(conn.local === '', kind === 'unix')
    conn.write(ours)
    conn.end()
    t.true((await arrived.passed).equals(ours))
    t.is(await closed.passed, undefined)
    t.true(Buffer.concat(chunks).equals(theirs))
    t.is(conn.bytesRead, size)
    t.is(conn.bytesWritten, size)
    t.is(conn.readyState, 'closed')
  })

  test(`a codec and data type a connection over ${kind}`, async (t) => {
    interface Ping {
      id: number
    }
    const codec = () => json<Ping>(lengthField())
    const place = kind === 'tcp' ? 'tcp://127.0.0.1:0' : `unix://${path()}`
    const server = await start(t, {
      listen: place,
      codec: codec(),
      message: (conn, ping) => void conn.write({ id: ping.id + 1 }),
    })
    const last = gate()
    const conn = await dial(t, {
      to: server.addresses[0] as string,
      codec: codec(),
      data: (who) => ({ to: who.remote, seen: 0 }),
      open: (conn) => void conn.write({ id: 0 }),
      message(conn, ping) {
        conn.data.seen++
        if (ping.id < 1000) conn.write(ping)
        else last.open()
      },
    })
    await last.passed
    t.is(conn.data.seen, 1000)
    t.is(conn.data.to, conn.remote)
  })

  test(`T28: what is written right after connecting over ${kind} arrives, open's words first`, async (t) => {
    const got = gate<string>()
    const to = await peer(t, kind, (socket) => {
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
        if (text.length === 10) got.open(text)
      })
    })
    const conn = await dial(t, { to, open: (conn) => void conn.write('open ') })
    t.true(conn.write('after'))
    t.is(await got.passed, 'open after')
    t.is(conn.buffered, 0)
  })

  test(`T29: a peer over ${kind} that writes and closes at once is heard, by a handler and by a pull`, async (t) => {
    const to = await peer(t, kind, (socket) => socket.end('last words'))
    const loops = await start(t, {})
    for (let round = 0; round < 50; round++) {
      const closed = gate<Error | undefined>()
      let heard = ''
      await dial(t, {
        to,
        loops,
        message(_conn, chunk) {
          heard += chunk
        },
        close: (_conn, error) => closed.open(error),
      })
      t.is(await closed.passed, undefined)
      t.is(heard, 'last words')

      const conn = await dial(t, { to, loops })
      await turns(round % 5)
      let pulled = ''
      for await (const chunk of conn) pulled += chunk
      t.is(pulled, 'last words')
    }
  })

  test(`nothing is read over ${kind} before the first pull`, async (t) => {
    const to = await peer(t, kind, (socket) => socket.end('early'))
    const conn = await dial(t, { to })
    await turns(200)
    t.is(conn.bytesRead, 0)
    t.is(conn.readyState, 'open')
    for await (const chunk of conn) t.is(String(chunk), 'early')
  })

  test(`a connection over ${kind} that nobody pulls from hears of an end with nothing before it`, async (t) => {
    const to = await peer(t, kind, (socket) => socket.end())
    const closed = gate<Error | undefined>()
    await dial(t, { to, close: (_conn, error) => closed.open(error) })
    t.is(await closed.passed, undefined)
  })

  for (const loops of [1, 3]) {
    test(`T24: a proxy has both connections of a pair on one loop and holds each back for the other (${kind}, loops: ${loops})`, async (t) => {
      // More than the kernel's buffers hold between two ends.
      const size = 12 << 20
      const count = 3
      // The slow side: it reads when told to, and then gives all of it back.
      const read = gate()
      const backend = await peer(t, kind, (socket) => {
        void read.passed.then(() => socket.pipe(socket))
      })
      const pairs: [number, number][] = []
      let isHeldBack = false
      interface Side {
        other: Conn<Buffer, Uint8Array | string, Side> | undefined
      }
      const pipe = {
        highWaterMark: 64 * 1024,
        message(conn: Conn<Buffer, Uint8Array | string, Side>, chunk: Buffer) {
          if (conn.data.other?.write(chunk) === false) {
            isHeldBack = true
            conn.pause()
          }
        },
        drain: (conn: Conn<Buffer, Uint8Array | string, Side>) => conn.data.other?.resume(),
        close: (conn: Conn<Buffer, Uint8Array | string, Side>) => conn.data.other?.end(),
      }
      const server = await start<Buffer, Uint8Array | string, Side>(t, {
        loops: LOOPS === 'inline' ? 'inline' : loops,
        data: (): Side => ({ other: undefined }),
        ...pipe,
        async open(conn) {
          conn.pause()
          const other = await connect<Buffer, Uint8Array | string, Side>({
            to: backend,
            loop: conn,
            data: (): Side => ({ other: conn }),
            ...pipe,
          })
          conn.data.other = other
          // The client may have left meanwhile: its `close` had nobody to end.
          if (conn.readyState === 'closed') other.end()
          pairs.push([conn.loop, other.loop])
          conn.resume()
        },
      })
      const clients = await Promise.all(
        Array.from({ length: count }, async () => {
          const bytes = randomBytes(size)
          let length = 0
          const chunks: Buffer[] = []
          const back = gate()
          const conn = await dial(t, {
            to: `tcp://127.0.0.1:${server.port}`,
            message(_conn, chunk) {
              chunks.push(chunk)
              length += chunk.length
              if (length === bytes.length) back.open()
            },
          })
          conn.write(bytes)
          return { bytes, chunks, back, conn }
        }),
      )
      // Held back all the way, until the backends read.
      while (!isHeldBack || pairs.length < count) await turns(1)
      read.open()
      for (const { bytes, chunks, back } of clients) {
        await back.passed
        t.true(Buffer.concat(chunks).equals(bytes))
      }
      for (const [one, other] of pairs) t.is(one, other)
      const used = new Set(pairs.map(([one]) => one)).size
      t.is(used, LOOPS === 'inline' ? 1 : loops)
    })
  }
}

test('T27: clients and a server of this house speak with each other, and each close is heard once', async (t) => {
  const count = 100
  const opened = new Count()
  const [serverSide, clientSide] = [new Count(), new Count()]
  const server = await start(t, {
    codec: line(),
    message: (conn, text) => void conn.write(text),
    close: () => serverSide.up(),
  })
  const to = `tcp://127.0.0.1:${server.port}`
  await Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const conn = await dial(t, {
        to,
        codec: line(),
        loops: server,
        open: () => opened.up(),
        close: () => clientSide.up(),
      })
      for (let n = 0; n < 10; n++) conn.write(`${at} ${n}`)
      let n = 0
      for await (const text of conn) {
        t.is(String(text), `${at} ${n}`)
        if (++n === 10) break
      }
      conn.end()
    }),
  )
  await Promise.all([serverSide.reaches(count), clientSide.reaches(count)])
  await server.close()
  t.is(opened.value, count)
  t.is(serverSide.value, count)
  t.is(clientSide.value, count)
})

test('a client that writes without end and a server that echoes never wait for each other', async (t) => {
  const size = 64 << 20
  const server = await start(t, {
    highWaterMark: 64 * 1024,
    message(conn, chunk) {
      if (!conn.write(chunk)) conn.pause()
    },
    drain: (conn) => conn.resume(),
  })
  let [written, echoed] = [0, 0]
  const all = gate()
  const chunk = randomBytes(1 << 18)
  const fill = (conn: Conn) => {
    while (written < size) {
      written += chunk.length
      if (!conn.write(chunk)) return
    }
  }
  await dial(t, {
    to: `tcp://127.0.0.1:${server.port}`,
    highWaterMark: 64 * 1024,
    open: fill,
    drain: fill,
    message(_conn, piece) {
      echoed += piece.length
      if (echoed === size) all.open()
    },
  })
  await all.passed
  t.is(echoed, size)
})

test('a connection that is refused rejects as it does in Node', async (t) => {
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
  test('a Unix socket that is not there, or that nobody listens on, rejects with its path', async (t) => {
    const nowhere = path()
    const error = await t.throwsAsync<MillraceError>(dial(t, { to: `unix://${nowhere}` }))
    t.is(error.code, 'ENOENT')
    t.is(error.address, nowhere)
    t.is(error.port, undefined)
  })
}

serialLinux('connecting ends with the timeout, and leaves no thread behind', async (t) => {
  const to = `tcp://127.0.0.1:${await blackhole(t)}`
  // Those of the listener stay; with several loops it has an acceptor.
  const others = LOOPS === 'inline' ? 0 : LOOPS + Number(LOOPS > 1)
  t.is((await millraceThreadsOf(others)).length, others)
  const error = await t.throwsAsync<MillraceError>(connect({ to, timeout: 20, loops: 1 }))
  t.is(error.code, 'ERR_CONNECT_TIMEOUT')
  t.true(error.message.includes(to))
  t.is((await millraceThreadsOf(others)).length, others)
})

test('a signal that is aborted already rejects with its reason', async (t) => {
  const to = await peer(t, 'tcp', () => t.fail('connected'))
  const reason = new Error('never mind')
  const open = () => t.fail('opened')
  const connecting = dial(t, { to, open, signal: AbortSignal.abort(reason) })
  t.is(await t.throwsAsync(connecting), reason)
})

linux('aborting while it connects rejects with the reason, whatever that is', async (t) => {
  const to = `tcp://127.0.0.1:${await blackhole(t)}`
  for (const reason of [new Error('changed my mind'), 'a word']) {
    const abort = new AbortController()
    const connecting = dial(t, { to, signal: abort.signal })
    await turns(20)
    abort.abort(reason)
    t.is(await connecting.catch((error: unknown) => error), reason)
  }
})

test('aborting a connection that is open destroys it', async (t) => {
  const ended = gate()
  const to = await peer(t, 'tcp', (socket) => socket.resume().on('close', () => ended.open()))
  const abort = new AbortController()
  const closed = gate<Error | undefined>()
  const close = (_conn: Conn, error?: Error) => closed.open(error)
  const conn = await dial(t, { to, signal: abort.signal, close })
  const reason = new Error('enough')
  abort.abort(reason)
  t.is(conn.readyState, 'closed')
  t.is(await closed.passed, reason)
  await ended.passed
})

test('whenever it is aborted, either nothing is heard or open and then close', async (t) => {
  const to = await peer(t, 'tcp', (socket) => socket.resume())
  const loops = await start(t, {})
  const results = new Set<string>()
  for (let round = 0; round < 100; round++) {
    const abort = new AbortController()
    const heard: string[] = []
    const closed = gate()
    const connecting = dial(t, {
      to,
      loops,
      signal: abort.signal,
      open: () => void heard.push('open'),
      message: () => t.fail('a message of nobody'),
      close() {
        heard.push('close')
        closed.open()
      },
    })
    await turns(round % 10)
    abort.abort()
    const result = await connecting.then(
      () => 'connected',
      (error: Error) => error.name,
    )
    if (result === 'connected') await closed.passed
    else t.is(result, 'AbortError')
    await turns(3)
    t.deepEqual(heard, result === 'connected' ? ['open', 'close'] : [])
    results.add(result)
  }
  // Both has happened: else this says less than it seems to.
  t.is(results.size, 2)
})

test('many may wait for one signal', async (t) => {
  const to = await peer(t, 'tcp', (socket) => socket.resume())
  const loops = await start(t, {})
  const abort = new AbortController()
  const closes = new Count()
  const conns = await Promise.all(
    Array.from({ length: 50 }, () =>
      dial(t, { to, loops, signal: abort.signal, close: () => closes.up() }),
    ),
  )
  conns[0]?.destroy()
  abort.abort()
  await closes.reaches(50)
  t.true(conns.every((conn) => conn.readyState === 'closed'))
})

test('what open throws rejects, and the connection is closed with it', async (t) => {
  const to = await peer(t, 'tcp', (socket) => socket.resume())
  const thrown = new Error('of the user')
  const closed = gate<Error | undefined>()
  const open = () => {
    throw thrown
  }
  const close = (_conn: Conn, error?: Error) => closed.open(error)
  t.is(await t.throwsAsync(dial(t, { to, open, close })), thrown)
  t.is(await closed.passed, thrown)
  // Without a handler it has been told all the same, and is no warning.
  const warn = (warning: Error) => t.fail(warning.message)
  process.on('warning', warn)
  t.is(await t.throwsAsync(dial(t, { to, open })), thrown)
  await turns(50)
  process.off('warning', warn)
})

test('a handler that throws later destroys its connection, and without close is told to error', async (t) => {
  const to = await peer(t, 'tcp', (socket) => socket.write('hello'))
  const thrown = new Error('of the user')
  const told = gate<Error>()
  const conn = await dial(t, {
    to,
    message() {
      throw thrown
    },
    error: (error, of) => {
      t.is(of, conn)
      told.open(error)
    },
  })
  t.is(await told.passed, thrown)
})

linux('it comes from localAddress, and thousands may share one port of it', async (t) => {
  const seen: string[] = []
  const to = await peer(t, 'tcp', (socket) => seen.push(socket.remoteAddress as string))
  const one = await dial(t, { to, localAddress: '127.0.0.5' })
  t.regex(one.local, /^127\.0\.0\.5:[1-9]\d*$/)
  const port = await deadPort()
  const two = await dial(t, { to, localAddress: `127.0.0.6:${port}` })
  t.is(two.local, `127.0.0.6:${port}`)
  while (seen.length < 2) await turns(1)
  t.deepEqual(seen, ['127.0.0.5', '127.0.0.6'])
  await t.throwsAsync(dial(t, { to, localAddress: '192.0.2.1' }), { code: 'EADDRNOTAVAIL' })
  await t.throwsAsync(dial(t, { to, localAddress: '::1' }), { code: 'ERR_INVALID_ADDRESS' })
})

test('options that do not fit are refused', async (t) => {
  const to = 'tcp://127.0.0.1:1'
  const server = await start(t, {})
  const conn = await dial(t, { to: `tcp://127.0.0.1:${server.port}` })
  const option = { code: 'ERR_INVALID_OPTION' }
  const address = { code: 'ERR_INVALID_ADDRESS' }
  await t.throwsAsync(connect({} as never), address)
  await t.throwsAsync(connect(undefined as never), option)
  await t.throwsAsync(connect({ to: 'tcp://127.0.0.1:0' }), address)
  await t.throwsAsync(connect({ to: 'http://127.0.0.1:80' }), address)
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
    // What it has, or is not said, is no obstacle: nobody is there.
    const there = connect({ to: `unix://${path()}`, sendBuffer: 4096, noDelay: undefined } as never)
    await t.throwsAsync(there, { code: 'ENOENT' })
  }
  conn.destroy()
  await t.throwsAsync(connect({ to, loop: conn }), option)
})

test.serial(
  'its loops end with it, also where its own close handler is the last to run',
  async (t) => {
    const to = await peer(t, 'tcp', (socket) => socket.resume())
    for (const ringBytes of [4096, RING_BYTES]) {
      const closed = gate()
      const conn = await connect({ to, loops: 2, ringBytes, close: () => closed.open() })
      t.is((await millraceThreadsOf(isLinux ? 2 : 0)).length, isLinux ? 2 : 0)
      conn.destroy()
      await closed.passed
      t.deepEqual(await millraceThreadsOf(0), [])
    }
    await t.throwsAsync(connect({ to: `tcp://127.0.0.1:${await deadPort()}`, loops: 2 }))
    t.deepEqual(await millraceThreadsOf(0), [])
  },
)

test('connections of a server and those that were made stay apart on one loop', async (t) => {
  const accepted: Conn[] = []
  const server = await serve({
    listen: 'tcp://127.0.0.1:0',
    open: (conn) => void accepted.push(conn),
    message: (conn, chunk) => void conn.write(chunk),
  })
  const sockets: net.Socket[] = []
  const to = await peer(t, 'tcp', (socket) => sockets.push(socket))
  const conn = await connect({ to: server.addresses[0] as string, loops: server })
  const other = await connect({ to, loop: conn, message: (conn, chunk) => void conn.write(chunk) })
  t.is(other.loop, conn.loop)
  while (accepted.length < 1) await turns(1)
  t.is(server.connections, 1)
  t.deepEqual([...server], accepted)
  t.is(server.get(other.id), undefined)
  t.is(server.broadcast('all', { group: [conn, ...accepted] as Conn[] }), 1)
  for await (const chunk of conn) {
    t.is(String(chunk), 'all')
    break
  }
  // The server's end is not that of the loops that others use.
  await server.close({ timeout: 0 })
  while (sockets.length < 1) await turns(1)
  const echoed = gate<string>()
  sockets[0]?.on('data', (chunk) => echoed.open(String(chunk)))
  sockets[0]?.write('still')
  t.is(await echoed.passed, 'still')
  conn.destroy()
  other.destroy()
})

test('async open is not waited for, and its rejection destroys', async (t) => {
  const to = await peer(t, 'tcp', (socket) => socket.resume())
  const fail = gate()
  const closed = gate<Error | undefined>()
  const conn = await dial(t, {
    to,
    async open() {
      await fail.passed
      throw Object.assign(new Error('late'), { code: 'LATE' })
    },
    close: (_conn, error) => closed.open(error),
  })
  t.is(conn.readyState, 'open')
  fail.open()
  t.is(codeOf(await closed.passed), 'LATE')
})
