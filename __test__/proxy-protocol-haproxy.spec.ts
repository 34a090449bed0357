/** PROXY headers of a real HAProxy. Without one, as `apt-get install haproxy` installs it, the tests are skipped. */

import { spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Conn, pipe, proxyHeader, serve } from 'millrace'
import { connect, connectHalfOpen, read, readHalf } from './support/client.js'
import { Count } from './support/counts.js'
import { dial } from './support/dial.js'
import { freePath } from './support/paths.js'
import { mirror, refusals, TRUSTING } from './support/proxy-headers.js'
import { LOOPS, start } from './support/serve.js'
import { HAS_IPV6 } from './support/system.js'

const HAS_HAPROXY = spawnSync('haproxy', ['-v']).status === 0
const haproxyTest = HAS_HAPROXY ? test : test.skip
if (!HAS_HAPROXY) console.log('# there is no haproxy here: its tests are skipped')

const DEFAULTS = `
defaults
  mode tcp
  timeout connect 1m
  timeout client 1m
  timeout server 1m
`

/** Runs HAProxy with sections of a configuration until the test ends. The descriptors are its own as 3, 4, … */
function haproxy(t: ExecutionContext, sections: string, descriptors: readonly number[] = []): void {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-'))
  const path = join(folder, 'haproxy.cfg')
  writeFileSync(path, `global\n  maxconn 100\n${DEFAULTS}${sections}\n`)
  const child = spawn('haproxy', ['-db', '-f', path], {
    stdio: ['ignore', 'ignore', 'inherit', ...descriptors],
  })
  t.teardown(() => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
}

/** A socket that listens on a free port: HAProxy does not choose one. Clients wait in its backlog meanwhile. */
async function listening(t: ExecutionContext, host: string): Promise<{ fd: number; port: number }> {
  const holder = await serve({ listen: { host, port: 0 }, loops: LOOPS })
  const fd = await holder.dup()
  t.teardown(() => closeSync(fd))
  const port = holder.port as number
  await holder.close()
  return { fd, port }
}

const SENDS = [
  'send-proxy',
  'send-proxy-v2',
  'send-proxy-v2 proxy-v2-options crc32c,unique-id',
] as const

for (const send of SENDS) {
  for (const host of HAS_IPV6 ? ['127.0.0.1', '::1'] : ['127.0.0.1']) {
    haproxyTest(`a client of HAProxy on ${host} is seen through ${send}`, async (t) => {
      const server = await mirror(t)
      const { fd, port } = await listening(t, host)
      haproxy(
        t,
        `listen spec\n  bind fd@3\n  unique-id-format %rt\n  server s 127.0.0.1:${server.port} ${send}`,
        [fd],
      )
      const sockets = await Promise.all(Array.from({ length: 10 }, () => connect(port, { host })))
      for (const socket of sockets) {
        socket.write('hello')
        const shown = host === '::1' ? '[::1]' : host
        const expected = `${shown}:${socket.localPort} ${shown}:${port}\nhello`
        t.is((await read(socket, expected.length)).toString(), expected)
        socket.destroy()
      }
      t.is(refusals(server), 0)
    })
  }

  haproxyTest(`a client of HAProxy on a Unix socket has no address in ${send}`, async (t) => {
    const server = await mirror(t)
    const path = freePath(t)
    const holder = await serve({ listen: { path }, loops: LOOPS })
    const fd = await holder.dup()
    t.teardown(() => closeSync(fd))
    await holder.close()
    haproxy(t, `listen spec\n  bind fd@3\n  server s 127.0.0.1:${server.port} ${send}`, [fd])
    const socket = await connect(path)
    socket.write('hello')
    const conn = await new Promise<Buffer>((resolve) => socket.once('data', resolve))
    // HAProxy's own address, which the header does not replace.
    t.regex(conn.toString(), new RegExp(`^127\\.0\\.0\\.1:\\d+ 127\\.0\\.0\\.1:${server.port}\n`))
    t.is(refusals(server), 0)
    socket.destroy()
  })
}

for (const send of ['send-proxy', 'send-proxy-v2'] as const) {
  haproxyTest(`HAProxy finds a server alive by a check with ${send}`, async (t) => {
    const opened = new Count()
    const conns: Conn[] = []
    const server = await start(t, {
      proxyProtocol: TRUSTING,
      open(conn) {
        conns.push(conn)
        opened.up()
      },
      close: () => {},
    })
    const { fd } = await listening(t, '127.0.0.1')
    const line = `server s 127.0.0.1:${server.port} check inter 1h ${send} check-send-proxy`
    haproxy(t, `listen spec\n  bind fd@3\n  ${line}`, [fd])
    await opened.reaches(1)
    t.is(conns[0]?.remoteAddress, '127.0.0.1')
    t.is(conns[0]?.localPort, server.port)
    t.is(refusals(server), 0)
  })
}

for (const version of [1, 2] as const) {
  haproxyTest(`HAProxy takes what proxyHeader makes in version ${version}`, async (t) => {
    // It passes on who the client is, which the last server shows.
    const server = await mirror(t, { allowHalfOpen: true, end: (conn) => void conn.end() })
    const { fd, port } = await listening(t, '127.0.0.1')
    const bind = 'bind fd@3 accept-proxy'
    haproxy(t, `listen spec\n  ${bind}\n  server s 127.0.0.1:${server.port} send-proxy-v2`, [fd])
    const proxy = await start(t, {
      allowHalfOpen: true,
      async open(client) {
        const to = { host: '127.0.0.1', port }
        const upstream = await dial(t, { to, loop: client, allowHalfOpen: true, close() {} })
        upstream.write(proxyHeader(client, { version }))
        await pipe(client, upstream)
      },
    })
    const socket = await connectHalfOpen(proxy.port)
    const { localPort } = socket
    socket.end('hello')
    const expected = `127.0.0.1:${localPort} 127.0.0.1:${proxy.port}\nhello`
    t.is((await readHalf(socket)).toString(), expected)
    socket.destroy()
  })
}
