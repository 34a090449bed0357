/** Asks the Redis example over a socket, and compares its replies byte for byte. */

import test, { type ExecutionContext } from 'ava'
import { startRedis } from '../../examples/redis/server.js'
import { connect, readAll } from './client.js'
import { LOOPS } from './serve.js'

/** A command as it is typed, and the reply; a character is a byte. */
export type Case = readonly [command: string, reply: string]

/** Starts the example in this process; its port. */
export async function redis(t: ExecutionContext): Promise<number> {
  const server = await startRedis({ listen: 'tcp://127.0.0.1:0', loops: LOOPS })
  t.teardown(() => server.close({ timeout: 0 }))
  return Number(server.addresses[0]?.split(':').pop())
}

/** All that comes back until the server ends the connection. */
export async function replyTo(port: number, bytes: string): Promise<string> {
  const socket = await connect(port)
  socket.write(Buffer.from(bytes, 'latin1'))
  return (await readAll(socket)).toString('latin1')
}

/** A test that sends the commands in one go, and expects these replies. They are those of Redis 7.0.15. */
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
