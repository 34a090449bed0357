/** Sends commands to the Redis example over a socket, and compares the replies byte for byte. */

import test, { type ExecutionContext } from 'ava'
import { startRedis } from '../../examples/redis/server.ts'
import { connect, readAll } from './client.js'
import { LOOPS } from './serve.js'

/** A command as a person types it, and its reply; each character is one byte. */
export type Case = readonly [command: string, reply: string]

/** Starts the example in this process, and returns its port. */
export async function redis(t: ExecutionContext): Promise<number> {
  const server = await startRedis({ listen: { host: '127.0.0.1', port: 0 }, loops: LOOPS })
  t.teardown(() => server.close({ timeout: 0 }))
  return server.port as number
}

/** Everything that the server sends until it ends the connection. */
export async function replyTo(port: number, bytes: string): Promise<string> {
  const socket = await connect(port)
  socket.write(Buffer.from(bytes, 'latin1'))
  return (await readAll(socket)).toString('latin1')
}

/** A test that sends all commands at once, and expects these replies. Redis 7.0.15 sends the same. */
export function answers(title: string, cases: readonly Case[]): void {
  test(title, async (t) => {
    const port = await redis(t)
    const commands = cases.map(([command]) => `${command}\r\nECHO -behind-\r\n`)
    const replies = (await replyTo(port, `${commands.join('')}QUIT\r\n`)).split(
      '$8\r\n-behind-\r\n',
    )
    t.is(replies.pop(), '+OK\r\n')
    t.deepEqual(
      cases.map(([command], at) => [command, replies[at]]),
      cases.map(([command, reply]) => [command, reply]),
    )
  })
}
