import { once } from 'node:events'
import net from 'node:net'
import { type ConnectOptions, connect, type MillraceError } from 'millrace'
import { deadPort, dial } from './support/dial.js'
import { AT_ONCE, States } from './support/reconnect.js'
import { LOOPS } from './support/serve.js'
import { HAS_IPV6, linux } from './support/system.js'

/** Connects from the port that is connected to: TCP joins the socket to itself. */
async function itself(host: string, to = host): Promise<ConnectOptions & { port: number }> {
  const port = await deadPort()
  const localAddress = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  return { to: { host: to, port }, localAddress, loops: LOOPS, port }
}

/** Whether a server can have the port. */
async function isFree(port: number, host: string): Promise<boolean> {
  const server = net.createServer().listen(port, host)
  const listens = await once(server, 'listening').then(
    () => true,
    () => false,
  )
  server.close()
  return listens
}

const HOSTS = [
  ['127.0.0.1', '127.0.0.1'],
  ['127.0.0.1', '0.0.0.0'],
  ['::1', '::1'],
  ['::1', '::'],
  ['::ffff:127.0.0.1', '::ffff:127.0.0.1'],
] as const

for (const [host, to] of HOSTS) {
  if (host === '::1' && !HAS_IPV6) continue
  linux(
    `a client of ${to} that reaches itself is refused, and leaves the port to a server`,
    async (t) => {
      const { port, ...options } = await itself(host, to)
      const opened = () => t.fail('it opened')
      const error = await t.throwsAsync<MillraceError>(dial(t, { ...options, open: opened }))
      t.is(error.code, 'ECONNREFUSED')
      t.is(error.syscall, 'connect')
      t.is(error.port, port)
      t.true(await isFree(port, host))
    },
  )

  linux(`a reconnecting client of ${to} that reaches itself waits and tries again`, async (t) => {
    const { port, ...options } = await itself(host, to)
    const states = new States()
    const reconnect = { ...AT_ONCE, attempts: 3 }
    const error = await t.throwsAsync<MillraceError>(
      connect({ ...options, reconnect, state: states.note }),
    )
    t.is(error.code, 'ECONNREFUSED')
    t.deepEqual(states.all, ['waiting', 'connecting', 'waiting', 'connecting', 'closed'])
    t.true(await isFree(port, host))
  })
}
