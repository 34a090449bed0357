import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import net from 'node:net'
import { dirname } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Conn, lengthField, type MillraceError, serve } from 'millrace'
import { connect, connectHalfOpen, read, readAll } from './support/client.js'
import { Count } from './support/counts.js'
import { sendInCuts } from './support/cuts.js'
import { bodyOf } from './support/framings.js'
import { freePath } from './support/paths.js'
import { launch } from './support/process.js'
import { random, SEED } from './support/random.js'
import { LOOPS, start } from './support/serve.js'
import { IS_LINUX, linux, unix } from './support/system.js'

/** Leaves a dead socket at a path, as a killed process does. */
async function leaveDead(path: string): Promise<void> {
  const code = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log())`
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout as NodeJS.ReadableStream, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function answers(t: ExecutionContext, path: string): Promise<void> {
  const socket = await connect(path)
  socket.end('hello')
  t.is(String(await readAll(socket)), 'hello')
}

const ECHO = { message: (conn: Conn, chunk: Buffer) => void conn.write(chunk) }

unix('100 connections over a Unix socket get back every byte in order', async (t) => {
  const path = freePath(t)
  const ended = new Count()
  const server = await start(t, {
    listen: `unix://${path}`,
    codec: lengthField(),
    message(conn, body) {
      conn.write(body)
    },
    close(_conn, error) {
      t.is(error, undefined)
      ended.up()
    },
  })
  t.deepEqual(server.addresses, [`unix://${path}`])
  await Promise.all(
    Array.from({ length: 100 }, async (_, client) => {
      const draw = random(client)
      const frames = Array.from({ length: 8 }, () => {
        const body = bodyOf(draw.whole(0, 40_000), draw.whole(0, 1e6))
        const header = Buffer.alloc(4)
        header.writeUInt32BE(body.length)
        return Buffer.concat([header, body])
      })
      const stream = Buffer.concat(frames)
      const back = await sendInCuts(path, stream, stream, random(client + 1000))
      t.deepEqual(back, { wrongAt: -1, length: stream.length }, `seed ${SEED}`)
    }),
  )
  await ended.reaches(100)
})

unix(
  'a connection shows the path as its local address, and no address for an unbound peer',
  async (t) => {
    const path = freePath(t)
    const shown: unknown[] = []
    await start(t, {
      listen: `unix:${path}`,
      context: ({ remote, local }) => ({ remote, local }),
      open(conn) {
        shown.push(conn.context, { remote: conn.remote, local: conn.local })
        conn.end('seen')
      },
      message() {},
    })
    const socket = await connect(path)
    t.is(String(await readAll(socket)), 'seen')
    const expected = { remote: '', local: `unix:${path}` }
    t.deepEqual(shown, [expected, expected])
  },
)

linux('an abstract name can be served without a file', async (t) => {
  const name = `@millrace-${process.pid}-${Math.random()}`
  const isBound = () => readFileSync('/proc/net/unix', 'utf8').includes(` ${name}\n`)
  const server = await start(t, { listen: `unix://${name}`, ...ECHO })
  t.deepEqual(server.addresses, [`unix://${name}`])
  t.true(isBound())
  const again = serve({ listen: `unix://${name}`, loops: LOOPS })
  await t.throwsAsync(again, { code: 'EADDRINUSE' })
  await server.close()
  t.false(isBound())
})

unix('a path is removed when its server closes', async (t) => {
  const path = freePath(t)
  const server = await start(t, { listen: `unix://${path}`, ...ECHO })
  t.true(lstatSync(path).isSocket())
  await server.close()
  t.false(existsSync(path))
})

unix('a path is removed when its process exits', async (t) => {
  const path = freePath(t)
  const { line, ended } = launch(t, 'unix-exit', { args: [path] })
  t.is(await line(), 'true')
  t.is((await ended).code, 0)
  t.false(existsSync(path))
})

unix('a path that another process has bound meanwhile is not removed', async (t) => {
  const path = freePath(t)
  const server = await start(t, { listen: `unix://${path}`, ...ECHO })
  rmSync(path)
  const heir = net.createServer((socket) => socket.end('heir')).listen(path)
  await once(heir, 'listening')
  t.teardown(() => heir.close())
  await server.close()
  t.is(String(await readAll(await connect(path))), 'heir')
})

unix('the path of a dead socket is reused', async (t) => {
  const path = freePath(t)
  await leaveDead(path)
  t.true(lstatSync(path).isSocket())
  await start(t, { listen: `unix://${path}`, ...ECHO })
  await answers(t, path)
})

unix('the path of a socket that still answers is not reused', async (t) => {
  const path = freePath(t)
  await start(t, { listen: `unix://${path}`, ...ECHO })
  const error = (await t.throwsAsync(serve({ listen: `unix://${path}`, loops: LOOPS }), {
    code: 'EADDRINUSE',
  })) as MillraceError
  t.is(error.address, path)
  t.is(error.syscall, 'listen')
  await answers(t, path)
})

unix('files, folders and links are never removed', async (t) => {
  const path = freePath(t)
  const folder = dirname(path)
  const file = `${folder}/file`
  writeFileSync(file, 'precious')
  mkdirSync(`${folder}/folder`)
  writeFileSync(`${folder}/folder/inside`, 'precious')
  symlinkSync(file, `${folder}/link`)
  await leaveDead(`${folder}/dead`)
  symlinkSync(`${folder}/dead`, `${folder}/link-to-dead`)
  for (const name of ['file', 'folder', 'link', 'link-to-dead']) {
    const listen = `unix://${folder}/${name}`
    await t.throwsAsync(serve({ listen, loops: LOOPS }), { code: 'EADDRINUSE' }, name)
  }
  t.is(readFileSync(file, 'utf8'), 'precious')
  t.is(readFileSync(`${folder}/folder/inside`, 'utf8'), 'precious')
  t.true(lstatSync(`${folder}/link`).isSymbolicLink())
  t.true(lstatSync(`${folder}/link-to-dead`).isSymbolicLink())
})

unix('a list of addresses that fails leaves no path behind', async (t) => {
  const path = freePath(t)
  const listen = [`unix://${path}`, `unix://${dirname(path)}/no/such/folder`]
  await t.throwsAsync(serve({ listen, loops: LOOPS }), { code: 'ENOENT' })
  t.false(existsSync(path))
})

unix('mode sets the permissions of the path', async (t) => {
  const path = freePath(t)
  await start(t, { listen: `unix://${path}`, mode: 0o600, ...ECHO })
  t.is(statSync(path).mode & 0o777, 0o600)
  await answers(t, path)
  const other = freePath(t)
  await start(t, { listen: `unix://${other}`, ...ECHO })
  t.is(statSync(other).mode & 0o777, 0o777 & ~process.umask())
  for (const mode of [-1, 0o1777, 1.5, '600'] as number[]) {
    const listen = `unix://${freePath(t)}`
    await t.throwsAsync(serve({ listen, loops: LOOPS, mode }), { code: 'ERR_INVALID_OPTION' })
  }
})

unix('a path may be as long as the system allows, and no longer', async (t) => {
  const folder = dirname(freePath(t))
  const most = IS_LINUX ? 107 : 103
  const longest = `${folder}/${'x'.repeat(most - folder.length - 1)}`
  await start(t, { listen: `unix://${longest}`, ...ECHO })
  await answers(t, longest)
  const error = await t.throwsAsync(serve({ listen: `unix://${longest}y`, loops: LOOPS }), {
    code: 'ERR_INVALID_ADDRESS',
  })
  t.regex(error?.message ?? '', new RegExp(`at most ${most} bytes`))
  // The limit is in bytes.
  const umlauts = `${folder}/${'ö'.repeat(most - folder.length - 1)}`
  await t.throwsAsync(serve({ listen: `unix://${umlauts}`, loops: LOOPS }), {
    code: 'ERR_INVALID_ADDRESS',
  })
})

unix('an invalid path is refused', async (t) => {
  for (const listen of ['unix:', 'unix://', 'unix://@', 'unix:///a\0b']) {
    await t.throwsAsync(serve({ listen, loops: LOOPS }), { code: 'ERR_INVALID_ADDRESS' }, listen)
  }
})

unix('a relative path is resolved once, even if the process changes its directory', async (t) => {
  const path = freePath(t)
  const { line, ended } = launch(t, 'unix-exit', { args: [path, dirname(path)] })
  t.is(await line(), 'true')
  t.is((await ended).code, 0)
  t.false(existsSync(path))
})

unix('peers without an address are distributed in turn, with every balance', async (t) => {
  for (const balance of ['round-robin', 'source-hash', 'least-connections'] as const) {
    const path = freePath(t)
    const loops: number[] = []
    const opened = new Count()
    const server = await start(t, {
      listen: `unix://${path}`,
      loops: 4,
      balance,
      open(conn) {
        loops.push(conn.loop)
        opened.up()
      },
      message() {},
    })
    for (let at = 1; at <= 8; at++) {
      await connect(path)
      await opened.reaches(at)
    }
    const first = server.stats().loops.map((each) => each.loop)
    t.deepEqual(loops, [...first, ...first], balance)
    await server.close({ timeout: 0 })
  }
})

unix('data sent together with FIN gets every reply', async (t) => {
  const path = freePath(t)
  await start(t, { listen: `unix://${path}`, ...ECHO })
  for (let at = 0; at < 200; at++) {
    const socket = await connectHalfOpen(path)
    const bytes = Buffer.alloc(at * 37, at)
    socket.end(bytes)
    t.true((await readAll(socket)).equals(bytes))
  }
})

unix('a peer of a Unix socket that reads late gets everything', async (t) => {
  const path = freePath(t)
  await start(t, { listen: `unix://${path}`, ...ECHO })
  const socket = await connectHalfOpen(path)
  const bytes = Buffer.concat(Array.from({ length: 256 }, (_, at) => bodyOf(65_536, at * 7919)))
  // The socket is paused: this side reads nothing until the server stops reading.
  let offered = 0
  const taken = new Promise<void>((resolve) => {
    const offer = () => {
      while (offered < bytes.length) {
        const piece = bytes.subarray(offered, offered + 65_536)
        offered += piece.length
        if (!socket.write(piece)) {
          // The server has stopped reading: now this side reads.
          resolve()
          socket.once('drain', offer)
          return
        }
      }
      resolve()
      socket.end()
    }
    offer()
  })
  await taken
  t.true((await readAll(socket)).equals(bytes))
})

if (process.platform === 'win32') {
  test('Unix sockets are not supported on Windows', async (t) => {
    await t.throwsAsync(serve({ listen: 'unix:///a' }), { code: 'ERR_UNSUPPORTED' })
  })
}

if (process.platform !== 'win32' && !IS_LINUX) {
  test('abstract names are supported on Linux only', async (t) => {
    await t.throwsAsync(serve({ listen: 'unix://@a' }), { code: 'ERR_UNSUPPORTED' })
  })
}

unix('a frame over max on a Unix socket closes only its connection', async (t) => {
  const path = freePath(t)
  const errors: unknown[] = []
  const ended = new Count()
  await start(t, {
    listen: `unix://${path}`,
    codec: lengthField({ max: 100 }),
    message: (conn, body) => void conn.write(body),
    close(_conn, error) {
      errors.push((error as MillraceError | undefined)?.code)
      ended.up()
    },
  })
  const other = await connect(path)
  const bad = await connect(path)
  bad.write(Buffer.from([0x7f, 0, 0, 0, 1]))
  await readAll(bad)
  await ended.reaches(1)
  t.deepEqual(errors, ['ERR_FRAME_TOO_LARGE'])
  other.write(Buffer.from([0, 0, 0, 1, 42]))
  t.deepEqual([...(await read(other, 5))], [0, 0, 0, 1, 42])
})

linux('an inline loop retries by itself if a backlog is full', async (t) => {
  const path = freePath(t)
  const server = await start(t, {
    listen: { address: `unix://${path}`, backlog: 1 },
    loops: 1,
    ...ECHO,
  })
  const [listener] = server.listeners
  await listener?.pause()
  // The kernel holds one more than the backlog says.
  for (let at = 0; at < 2; at++) await connect(path)
  const { line, ended } = launch(t, 'dial-inline', { args: [path] })
  t.is(await line(), 'connecting')
  await listener?.resume()
  t.is(await line(), 'open')
  t.is((await ended).code, 0)
})
