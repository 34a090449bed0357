import net from 'node:net'
import { platform } from 'node:os'
import test from 'ava'
import { type Conn, json, lengthField, line, listener, type MillraceError, serve } from 'millrace'
import { closed, connect, connectTo, read, readAll } from './support/client.js'
import { Count } from './support/counts.js'
import { gate } from './support/gate.js'
import { freePath } from './support/paths.js'
import { ANY, LOOPS, start } from './support/serve.js'

const VARIANTS = [{ loops: LOOPS }, { loops: 3 }] as const
const HAS_UNIX = platform() !== 'win32'

type Sockets = [net.Socket, net.Socket, net.Socket]

/** Whether a server answers a text as expected. */
async function ask(socket: net.Socket, text: string, answer: string): Promise<boolean> {
  socket.write(text)
  return (await read(socket, answer.length)).toString() === answer
}

for (const { loops } of VARIANTS) {
  test(`a listener uses its own handlers and codec, and its server's for the rest (loops: ${loops})`, async (t) => {
    const ended: string[] = []
    const all = new Count()
    const server = await start(t, {
      loops,
      codec: line(),
      listen: [
        ANY,
        { address: ANY, message: (conn, text) => void conn.write(`own ${text}`) },
        { address: ANY, codec: line({ max: 20 }), close: (_, error) => void note('own', error) },
      ],
      message: (conn, text) => void conn.write(`server ${text}`),
      close: (_, error) => note('server', error),
    })
    function note(whose: string, error?: Error): void {
      ended.push(`${whose} ${(error as MillraceError | undefined)?.code}`)
      all.up()
    }
    const sockets = await Promise.all(server.addresses.map(connectTo))
    const answers = ['server hi\n', 'own hi\n', 'server hi\n']
    for (const [at, socket] of sockets.entries())
      t.true(await ask(socket, 'hi\n', answers[at] as string))
    // The third listener accepts lines of up to 20 bytes, the others longer ones.
    const long = 'x'.repeat(21)
    t.true(await ask(sockets[0] as net.Socket, `${long}\n`, `server ${long}\n`))
    sockets[2]?.write(`${long}\n`)
    await all.reaches(1)
    for (const socket of sockets) socket.resume().end()
    await all.reaches(3)
    t.deepEqual(ended.sort(), ['own ERR_FRAME_TOO_LARGE', 'server undefined', 'server undefined'])
  })

  test(`listeners with their own types speak other protocols on one server (loops: ${loops})`, async (t) => {
    const counter = listener({
      address: ANY,
      codec: json<{ add: number }, { sum: number }>(line()),
      context: () => ({ sum: 0 }),
      message(conn, { add }) {
        conn.context.sum += add
        conn.write({ sum: conn.context.sum })
      },
    })
    const server = await start(t, {
      loops,
      listen: [ANY, counter, counter],
      codec: lengthField({ bytes: 1 }),
      message: (conn, body) => void conn.write(body),
    })
    const [framed, first, second] = (await Promise.all(server.addresses.map(connectTo))) as Sockets
    t.true(await ask(framed, '\x02hi', '\x02hi'))
    t.true(await ask(first, '{"add":2}\n', '{"sum":2}\n'))
    t.true(await ask(first, '{"add":3}\n', '{"sum":5}\n'))
    t.true(await ask(second, '{"add":7}\n', '{"sum":7}\n'))

    // The server's broadcast, get and iteration cover only connections with its own types.
    t.is(server.connections, 3)
    t.is(server.broadcast(Buffer.from('all')), 1)
    t.is((await read(framed, 4)).toString(), '\x03all')
    const conns = [...server]
    t.is(conns.length, 1)
    t.is(server.get(conns[0]?.id ?? 0), conns[0])
    const handle = server.listeners[1]
    t.is(handle?.connections, 1)
    const others = [...(handle ?? [])]
    t.is(others.length, 1)
    t.is(server.get(others[0]?.id ?? 0), undefined)
  })

  test(`a listener can be added to a running server, with or without its own handlers (loops: ${loops})`, async (t) => {
    const server = await start(t, {
      loops,
      codec: line(),
      message: (conn, text) => void conn.write(`server ${text}`),
    })
    const before = await connect(server.port)
    t.true(await ask(before, 'hi\n', 'server hi\n'))
    const plain = await server.listen(ANY)
    const own = await server.listen(
      listener({ address: ANY, message: (conn, chunk) => void conn.write(chunk) }),
    )
    t.deepEqual(server.addresses, [server.addresses[0], plain.address, own.address])
    t.is(server.listeners.length, 3)
    t.is(server.listeners[1], plain as never)
    t.true(await ask(await connectTo(plain.address), 'hi\n', 'server hi\n'))
    t.true(await ask(await connectTo(own.address), 'hi', 'hi'))
    t.is(own.broadcast('all of them'), 1)
    t.true(await ask(before, 'hi\n', 'server hi\n'))
    await t.throwsAsync(server.listen(plain.address), { code: 'EADDRINUSE' })
    await t.throwsAsync(server.listen('tcp://'), { code: 'ERR_INVALID_ADDRESS' })
    await t.throwsAsync(server.listen({ address: ANY, backlog: 0 }), { code: 'ERR_INVALID_OPTION' })
    t.is(server.listeners.length, 3)
  })

  test(`a closing listener drains its own connections and does not affect others (loops: ${loops})`, async (t) => {
    const { passed: promise, open } = gate()
    const server = await start(t, {
      loops,
      listen: [ANY, ANY],
      codec: line(),
      async message(conn, text) {
        if (String(text) === 'wait') await promise
        conn.write(`did ${text}`)
      },
    })
    const [one, two] = (await Promise.all(server.addresses.map(connectTo))) as Sockets
    t.true(await ask(one, 'hi\n', 'did hi\n'))
    t.true(await ask(two, 'hi\n', 'did hi\n'))
    const [first, second] = server.listeners
    one.write('now\nwait\n')
    t.is((await read(one, 8)).toString(), 'did now\n')
    const closing = first?.close()
    t.is(first?.close(), closing)
    t.deepEqual(server.addresses, [second?.address])
    t.deepEqual(server.listeners, [second])
    // The port is closed, but the running handler may finish.
    t.true(await ask(two, 'still\n', 'did still\n'))
    await t.throwsAsync(first?.pause() as Promise<void>, { code: 'ERR_CLOSED' })
    open()
    t.is((await readAll(one)).toString(), 'did wait\n')
    await closing
    t.is(first?.connections, 0)
    t.is(server.connections, 1)
    await t.throwsAsync(connectTo(first?.address as string), { code: 'ECONNREFUSED' })
    t.true(await ask(two, 'again\n', 'did again\n'))
    t.true(await ask(await connectTo(second?.address as string), 'new\n', 'did new\n'))
  })

  test(`the timeout of a listener's close destroys only its own connections (loops: ${loops})`, async (t) => {
    const errors: (string | undefined)[] = []
    const server = await start(t, {
      loops,
      listen: [ANY, ANY],
      message: (conn, chunk) =>
        String(chunk) === 'never' ? new Promise(() => {}) : conn.write(chunk),
      close: (_, error) => void errors.push((error as MillraceError | undefined)?.code),
    })
    const [one, two] = (await Promise.all(server.addresses.map(connectTo))) as Sockets
    t.true(await ask(one, 'hello', 'hello'))
    one.resume().write('never')
    t.true(await ask(two, 'hello', 'hello'))
    await server.listeners[0]?.close({ timeout: 20 })
    await closed(one)
    t.deepEqual(errors, ['ERR_CLOSE_TIMEOUT'])
    t.true(await ask(two, 'hello', 'hello'))
    await t.throwsAsync(server.listeners[0]?.close({ timeout: -1 }) as Promise<void>, {
      code: 'ERR_INVALID_OPTION',
    })
  })

  test(`connections to a paused listener wait in the backlog until it resumes (loops: ${loops})`, async (t) => {
    const opened: string[] = []
    const server = await start(t, {
      loops,
      listen: [ANY, ANY],
      open: (conn) => void opened.push(conn.local),
      message: (conn, chunk) => void conn.write(chunk),
    })
    const [first, second] = server.listeners
    await first?.pause()
    const waiting = await Promise.all(
      Array.from({ length: 20 }, () => connectTo(first?.address as string)),
    )
    for (const socket of waiting) socket.write('hello')
    const other = await connectTo(second?.address as string)
    for (let round = 0; round < 20; round++) t.true(await ask(other, 'hello', 'hello'))
    t.is(opened.length, 1)
    t.is(first?.connections, 0)
    await first?.resume()
    for (const socket of waiting) t.is((await read(socket, 5)).toString(), 'hello')
    t.is(first?.connections, 20)
    // Pause twice, then resume while nobody waits.
    await first?.pause()
    await first?.pause()
    await first?.resume()
    t.true(await ask(await connectTo(first?.address as string), 'hello', 'hello'))
  })

  test(`a paused listener that closes still serves the connections in its backlog (loops: ${loops})`, async (t) => {
    const server = await start(t, { loops, message: (conn, chunk) => void conn.write(chunk) })
    await server.listeners[0]?.pause()
    const sockets = await Promise.all(Array.from({ length: 10 }, () => connect(server.port)))
    for (const socket of sockets) socket.write('hello')
    const closing = server.close()
    for (const socket of sockets) t.is((await readAll(socket)).toString(), 'hello')
    await closing
  })

  test(`a server whose listeners are all closed stays open and can listen again (loops: ${loops})`, async (t) => {
    const server = await start(t, { loops, message: (conn, chunk) => void conn.write(chunk) })
    const [only] = server.listeners
    await only?.close()
    t.deepEqual(server.addresses, [])
    t.is(server.connections, 0)
    const next = await server.listen(only?.address as string)
    t.is(next.address, only?.address as string)
    t.true(await ask(await connectTo(next.address), 'hello', 'hello'))
    await server.close()
    await t.throwsAsync(server.listen(ANY), { code: 'ERR_CLOSED' })
    await t.throwsAsync(next.resume(), { code: 'ERR_CLOSED' })
    await t.notThrowsAsync(next.close())
  })

  test(`T4 one server listens on addresses of every kind with different codecs, and adds and closes a listener under load (loops: ${loops})`, async (t) => {
    const ports = process.platform === 'linux'
    const paths = HAS_UNIX ? [freePath(t), freePath(t)] : []
    const echo = {
      message: (conn: Conn<Buffer, Buffer, unknown>, body: Buffer) => void conn.write(body),
    }
    const server = await start(t, {
      loops,
      codec: line(),
      listen: [
        ANY,
        { address: ANY, ...(ports ? { reusePort: true } : {}) },
        ...paths.map((path, at) =>
          listener({
            address: `unix://${path}`,
            codec: lengthField({ bytes: at === 0 ? 1 : 2 }),
            context: () => at,
            ...echo,
          }),
        ),
      ],
      message: (conn, text) => void conn.write(text),
    })
    const frames: Record<string, (body: string) => Buffer> = {}
    const [first, second, ...unix] = server.addresses as [string, string, ...string[]]
    frames[first] = frames[second] = (body) => Buffer.from(`${body}\n`)
    for (const [at, address] of unix.entries()) {
      frames[address] = (body) =>
        Buffer.concat([Buffer.from(at === 0 ? [body.length] : [0, body.length]), Buffer.from(body)])
    }
    const over = new Set<string>()
    const rounds = new Count()
    /** Sends messages until the address is over, and compares every answer. */
    const talk = async (address: string) => {
      const socket = await connectTo(address)
      const frame = frames[address] as (body: string) => Buffer
      for (let round = 0; !over.has(address); round++) {
        const sent = frame(`message ${round} to ${address}`.slice(0, 100))
        socket.write(sent)
        t.deepEqual(await read(socket, sent.length), sent)
        rounds.up()
      }
      return socket
    }
    const three = (address: string) => [talk(address), talk(address), talk(address)]
    const talks = new Map(server.addresses.map((address) => [address, three(address)]))
    await rounds.reaches(100)
    const third = await server.listen(
      listener({ address: ANY, message: (conn, chunk) => void conn.write(chunk) }),
    )
    frames[third.address] = (body) => Buffer.from(body)
    talks.set(third.address, three(third.address))
    await rounds.reaches(300)
    // One listener closes with its connections; all the others go on.
    over.add(second)
    const leavers = await Promise.all(talks.get(second) ?? [])
    await server.listeners[1]?.close()
    for (const socket of leavers) await closed(socket.resume())
    talks.delete(second)
    t.deepEqual(server.addresses, [first, ...unix, third.address])
    const before = rounds.value
    await rounds.reaches(before + 200)
    for (const address of server.addresses) over.add(address)
    for (const socket of await Promise.all([...talks.values()].flat())) socket.destroy()

    // `dup` needs an address if there are several sockets.
    await t.throwsAsync(server.dup(), {
      code: HAS_UNIX ? 'ERR_INVALID_ADDRESS' : 'ERR_UNSUPPORTED',
    })
    await t.throwsAsync(server.dup('tcp://127.0.0.1:1'), { code: 'ERR_INVALID_ADDRESS' })
  })
}

test('a host name with several addresses is one listener', async (t) => {
  const server = await start(t, { message: (conn, chunk) => void conn.write(chunk) })
  const handle = await server.listen('tcp://localhost:0')
  t.is(handle.addresses.length, new Set(handle.addresses).size)
  t.deepEqual(server.addresses, [server.addresses[0], ...handle.addresses])
  for (const address of handle.addresses) {
    const { hostname, port } = new URL(address)
    const socket = net.connect(Number(port), hostname.replace(/[[\]]/g, ''))
    t.true(await ask(socket, 'hello', 'hello'))
    socket.destroy()
  }
  await handle.close({ timeout: 0 })
  for (const address of handle.addresses)
    await t.throwsAsync(connectTo(address), { code: 'ECONNREFUSED' })
})

test("a listener's errors go to its own error handler, or to the server's, which gets no connection of other types", async (t) => {
  const told: string[] = []
  const all = new Count()
  const note = (whose: string) => (error: Error, conn?: { id: number }) => {
    told.push(`${whose} ${error.message} ${conn === undefined ? 'alone' : 'conn'}`)
    all.up()
  }
  const message = () => {
    throw new Error('oops')
  }
  const server = await start(t, {
    listen: [
      { address: ANY, message },
      { address: ANY, message, error: note('spec') },
      listener({ address: ANY, message }),
      listener({ address: ANY, message, error: note('own') }),
    ],
    error: note('server'),
  })
  for (const [at, address] of server.addresses.entries()) {
    const socket = await connectTo(address)
    socket.write('hello')
    await all.reaches(at + 1)
    socket.destroy()
  }
  t.deepEqual(told, ['server oops conn', 'spec oops conn', 'server oops alone', 'own oops conn'])
})

test('disposing of a listener closes it', async (t) => {
  const server = await start(t, { message() {} })
  let address = ''
  {
    await using handle = await server.listen(ANY)
    ;({ address } = handle)
  }
  await t.throwsAsync(connectTo(address), { code: 'ECONNREFUSED' })
})

test('listen rejects if the server begins to close meanwhile', async (t) => {
  const server = await start(t, { message() {} })
  // Looking up a name takes a turn, so the close comes first.
  const adding = server.listen('tcp://localhost:0')
  const [result] = await Promise.allSettled([adding, server.close()])
  t.is((result as PromiseRejectedResult).reason.code, 'ERR_CLOSED')
})

test("a listener's options are checked like those of a server", async (t) => {
  const refused: [object, string][] = [
    [{ loops: 1 }, 'ERR_INVALID_OPTION'],
    [{ maxConnections: 1 }, 'ERR_INVALID_OPTION'],
    [{ backlog: '1' }, 'ERR_INVALID_OPTION'],
    [{ message: 1 }, 'ERR_INVALID_OPTION'],
    [{ codec: {} }, 'ERR_INVALID_OPTION'],
    [{ address: 'tcp://' }, 'ERR_INVALID_ADDRESS'],
    [{ address: undefined }, 'ERR_INVALID_ADDRESS'],
    [{ address: true }, 'ERR_INVALID_ADDRESS'],
    [{ address: null }, 'ERR_INVALID_ADDRESS'],
  ]
  for (const [options, code] of refused) {
    const spec = { address: ANY, ...options } as never
    await t.throwsAsync(serve({ listen: [spec], loops: LOOPS }), { code }, JSON.stringify(options))
    await t.throwsAsync(serve({ listen: [listener(spec)], loops: LOOPS }), { code })
  }
  for (const spec of [undefined, null, 'tcp://127.0.0.1:0', 1])
    t.throws(() => listener(spec as never), { code: 'ERR_INVALID_OPTION' })
})
