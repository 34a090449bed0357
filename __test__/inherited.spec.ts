import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
} from 'node:fs'
import type net from 'node:net'
import { devNull } from 'node:os'
import test from 'ava'
import { serve } from 'millrace'
import { closed, connect, connectTo, read } from './support/client.js'
import { freePath } from './support/paths.js'
import { launch } from './support/process.js'
import { ANY, LOOPS, start } from './support/serve.js'

const VARIANTS = [{ loops: LOOPS }, { loops: 3 }] as const

/** Sends a text and returns the answer, of that length. */
async function answer(socket: net.Socket, text: string, length: number): Promise<string> {
  socket.write(text)
  return (await read(socket, length)).toString()
}

function isOpen(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isSocket()
  } catch {
    return false
  }
}

/** The descriptor of this process that listens on an IPv4 port. */
function descriptorOf(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const lines = readFileSync('/proc/self/net/tcp', 'utf8').split('\n').slice(1)
  // Local address, remote address, state (0A: listening) and more; the inode is the tenth field.
  const fields = lines.map((line) => line.trim().split(/\s+/))
  const inode = fields.find(
    ([, local, , state]) => local?.endsWith(`:${hex}`) && state === '0A',
  )?.[9]
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${name}`) === `socket:[${inode}]`) return Number(name)
    } catch {
      // The descriptor of the directory itself is already closed.
    }
  }
  throw new Error(`nobody listens on ${port}`)
}

const echo = (conn: { write(chunk: Buffer): boolean }, chunk: Buffer) => void conn.write(chunk)

if (process.platform === 'win32') {
  test('inherited sockets are refused on Windows', async (t) => {
    for (const listen of ['fd://3', 'systemd://'])
      await t.throwsAsync(serve({ listen, loops: LOOPS }), { code: 'ERR_UNSUPPORTED' })
  })
} else {
  for (const { loops } of VARIANTS) {
    test(`T4 a process that got a listener's socket keeps serving when this process closes it (loops: ${loops})`, async (t) => {
      const server = await start(t, { loops, message: echo })
      const mine = await connect(server.port)
      t.is(await answer(mine, 'hello', 5), 'hello')
      const descriptor = await server.dup()
      t.true(isOpen(descriptor))
      const child = launch(t, 'inherited', { args: ['fd://3', loops], inherits: [descriptor] })
      t.is(await child.line(), `tcp://127.0.0.1:${server.port}`)
      closeSync(descriptor)
      await server.close()
      await closed(mine.resume())
      const theirs = await connect(server.port)
      t.is(await answer(theirs, 'hello', 11), 'child hello')
    })

    test(`the path of a Unix socket stays if another process has the socket (loops: ${loops})`, async (t) => {
      const path = freePath(t)
      const server = await start(t, { loops, listen: `unix://${path}`, message: echo })
      const descriptor = await server.listeners[0]?.dup()
      const child = launch(t, 'inherited', {
        args: ['fd://3', loops],
        inherits: [descriptor as number],
      })
      t.is(await child.line(), `unix://${path}`)
      closeSync(descriptor as number)
      await server.close()
      t.true(existsSync(path))
      t.is(await answer(await connect(path), 'hello', 11), 'child hello')
    })

    test(`an inherited socket serves, and is closed with its listener (loops: ${loops})`, async (t) => {
      const owner = await start(t, { message: echo })
      const descriptor = await owner.dup()
      await owner.close()
      const server = await start(t, { loops, listen: `fd://${descriptor}`, message: echo })
      t.deepEqual(server.addresses, [`tcp://127.0.0.1:${owner.port}`])
      t.is(await answer(await connect(owner.port), 'hello', 5), 'hello')
      // No other listener can use the descriptor meanwhile, of this server or of another.
      const again = { listen: `fd://${descriptor}`, loops: LOOPS }
      await t.throwsAsync(serve(again), { code: 'ERR_INVALID_ADDRESS', message: /already/ })
      await t.throwsAsync(server.listen(`fd://${descriptor}`), { code: 'ERR_INVALID_ADDRESS' })
      await server.close()
      // The port would still be open if any descriptor of the socket were.
      await t.throwsAsync(connect(owner.port), { code: 'ECONNREFUSED' })
    })

    if (process.platform === 'linux') {
      test(`the socket of an existing listener cannot be inherited (loops: ${loops})`, async (t) => {
        const server = await start(t, { loops, message: echo })
        const descriptor = descriptorOf(server.port)
        await t.throwsAsync(serve({ listen: `fd://${descriptor}`, loops: LOOPS }), {
          code: 'ERR_INVALID_ADDRESS',
          message: /already/,
        })
        t.is(await answer(await connect(server.port), 'hello', 5), 'hello')
      })
    }

    test(`sockets from systemd serve, all of them or by name (loops: ${loops})`, async (t) => {
      const path = freePath(t)
      const server = await start(t, { listen: [ANY, ANY, `unix://${path}`], message: echo })
      const [one, two, unix] = server.addresses as [string, string, string]
      const inherits = await Promise.all(server.listeners.map((each) => each.dup()))
      await server.close()
      for (const [listen, expected] of [
        ['systemd://', [one, two, unix]],
        ['systemd://web', [one, unix]],
        ['systemd://admin', [two]],
      ] as const) {
        const child = launch(t, 'inherited', { args: [listen, loops, 'web:admin:web'], inherits })
        t.is(await child.line(), expected.join(' '))
        for (const address of expected)
          t.is(await answer(await connectTo(address), 'hello', 11), 'child hello')
        child.kill()
        await child.ended
      }
      for (const each of inherits) closeSync(each)
    })
  }

  test('an inherited socket stays open if serve rejects, and can be inherited again', async (t) => {
    const owner = await start(t, { message: echo })
    const descriptor = await owner.dup()
    await owner.close()
    const listen = [`fd://${descriptor}`, 'tcp://192.0.2.1:0']
    await t.throwsAsync(serve({ listen, loops: LOOPS }), { code: 'EADDRNOTAVAIL' })
    t.true(isOpen(descriptor))
    const server = await start(t, { listen: `fd://${descriptor}`, message: echo })
    t.is(await answer(await connect(owner.port), 'hello', 5), 'hello')
    await server.close()
  })

  test('a descriptor that is not a listening stream socket is refused and stays open', async (t) => {
    const file = openSync(devNull, 'r')
    const refused = { code: 'ERR_INVALID_ADDRESS', message: new RegExp(`descriptor ${file} `) }
    await t.throwsAsync(serve({ listen: `fd://${file}`, loops: LOOPS }), refused)
    closeSync(file)
    const server = await start(t, { message: echo })
    const socket = await connect(server.port)
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
    const listen = `fd://${fd}`
    await t.throwsAsync(serve({ listen, loops: LOOPS }), { code: 'ERR_INVALID_ADDRESS' })
    t.is(await answer(socket, 'hello', 5), 'hello')
    await t.throwsAsync(serve({ listen: 'fd://9999', loops: LOOPS }), { code: 'EBADF' })
    for (const address of [
      'fd://',
      'fd://x',
      'fd://-1',
      'fd://3.5',
      'fd://3/',
      'fd:3',
      'fd://9999999999',
    ])
      await t.throwsAsync(
        serve({ listen: address, loops: LOOPS }),
        { code: 'ERR_INVALID_ADDRESS' },
        address,
      )
  })

  test('options that an inherited socket cannot change are refused in its spec', async (t) => {
    const owner = await start(t, { message: echo })
    const address = `fd://${await owner.dup()}`
    for (const options of [
      { backlog: 5 },
      { reusePort: true },
      { ipv6Only: true },
      { mode: 0o600 },
    ]) {
      const listen = { address, ...options }
      await t.throwsAsync(serve({ listen, loops: LOOPS }), { code: 'ERR_INVALID_OPTION' })
    }
    const unix = await start(t, { listen: `unix://${freePath(t)}`, message: echo })
    const listen = { address: `fd://${await unix.dup()}`, noDelay: true }
    await t.throwsAsync(serve({ listen, loops: LOOPS }), { code: 'ERR_INVALID_OPTION' })
    // As an option of the server, it is ignored for this listener.
    const { address: same } = listen
    const server = await start(t, { listen: same, noDelay: true, backlog: 5, message: echo })
    t.is(server.addresses[0], unix.addresses[0])
    const tcp = await start(t, { listen: { address, keepAlive: { idle: 7000 } }, message: echo })
    await tcp.close()
  })

  test('systemd:// is refused if systemd passed no such socket', async (t) => {
    for (const [listen, names] of [
      ['systemd://', undefined],
      ['systemd://web', undefined],
      ['systemd://other', 'web'],
      ['systemd:web', 'web'],
      ['systemd://a b', 'web'],
    ] as const) {
      const child = launch(t, 'inherited', {
        args: names === undefined ? [listen] : [listen, 1, names],
      })
      t.regex(await child.line(), /^ERR_INVALID_ADDRESS /)
    }
    // The sockets are meant for another process.
    const env = { LISTEN_PID: '1', LISTEN_FDS: '1' }
    const child = launch(t, 'inherited', { args: ['systemd://'], env })
    t.regex(await child.line(), /^ERR_INVALID_ADDRESS .*no sockets/)
  })

  test('dup of a closed server or listener rejects', async (t) => {
    const server = await start(t, { message: echo })
    const [listener] = server.listeners
    await server.close()
    await t.throwsAsync(server.dup(), { code: 'ERR_CLOSED' })
    await t.throwsAsync(listener?.dup() as Promise<number>, { code: 'ERR_CLOSED' })
  })
}
