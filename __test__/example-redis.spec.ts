/** The Redis example, used through a client library: ioredis. */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { startRedis } from '../examples/redis/server.ts'
import { connect, read, readAll } from './support/client.js'
import { run, runListening } from './support/example.js'
import { LOOPS } from './support/serve.js'

/** A client that is disconnected when the test ends. If its connection fails, its commands reject. */
function client(t: ExecutionContext, { port }: { port: number }): Redis {
  const redis = new Redis(port, '127.0.0.1', { retryStrategy: null, connectionName: 'spec' })
  redis.on('error', () => {})
  t.teardown(() => redis.disconnect())
  return redis
}

test('a client connects, sets its name and asks about the server', async (t) => {
  const redis = client(t, await runListening(t, 'redis/main.ts'))
  t.is(await redis.ping(), 'PONG')
  t.is(await redis.client('GETNAME'), 'spec')
  t.true(Number(await redis.client('ID')) > 0)
  t.true(Number(await redis.command('COUNT')) > 25)
  t.deepEqual(await redis.config('GET', 'save'), ['save', ''])
  await redis.set('key', 'value', 'EX', 100)
  const info = await redis.info()
  t.regex(info, /^# Server\r\n/)
  t.regex(info, /\r\nconnected_clients:1\r\n/)
  t.regex(info, /\r\ndb0:keys=1,expires=1,avg_ttl=0\r\n$/)
  t.notRegex(await redis.info('clients'), /redis_version/)
  const hello = (await redis.call('HELLO', '2', 'SETNAME', 'other')) as unknown[]
  t.deepEqual(hello.slice(0, 2), ['server', 'redis'])
  t.is(await redis.client('GETNAME'), 'other')
  await t.throwsAsync(redis.call('HELLO', '3'), { message: 'NOPROTO unsupported protocol version' })
})

test('pipelines of 1,000 commands are answered in order', async (t) => {
  const redis = client(t, await runListening(t, 'redis/main.ts'))
  for (let round = 0; round < 5; round++) {
    const pipeline = redis.pipeline()
    for (let at = 0; at < 250; at++) {
      pipeline.set(`key:${at}`, `value ${at}`).get(`key:${at}`).incr('count').get('none')
    }
    const replies = (await pipeline.exec()) ?? []
    const expected = Array.from({ length: 250 }, (_, at) => {
      return ['OK', `value ${at}`, round * 250 + at + 1, null]
    })
    t.deepEqual(
      replies,
      expected.flat().map((reply) => [null, reply]),
    )
  }
  t.is(await redis.dbsize(), 251)
})

test('keys and values are any bytes, up to 64 MiB', async (t) => {
  const redis = client(t, await runListening(t, 'redis/main.ts'))
  const every = Buffer.from([...Array(256).keys()])
  t.is(await redis.set(every, every), 'OK')
  t.deepEqual(await redis.getBuffer(every), every)
  for (const length of [0, 1, 16_384, 16_385, 1 << 20, 1 << 26]) {
    const value = randomBytes(length)
    await redis.set('value', value)
    const back = await redis.getBuffer('value')
    // Not `deepEqual`, which would show 64 MiB.
    t.true(back?.equals(value), `${length} bytes`)
    t.is(await redis.strlen('value'), length)
  }
  const tooLarge = { message: 'ERR string exceeds maximum allowed size (proto-max-bulk-len)' }
  await t.throwsAsync(redis.append('value', 'x'), tooLarge)
  await redis.set('grown', 'x')
  for (let at = 0; at < 20; at++) await redis.append('grown', Buffer.alloc(1000, at))
  const parts = Array.from({ length: 20 }, (_, at) => Buffer.alloc(1000, at))
  t.deepEqual(await redis.getBuffer('grown'), Buffer.concat([Buffer.from('x'), ...parts]))
})

test('clients that count together lose nothing', async (t) => {
  const example = await runListening(t, 'redis/main.ts')
  const clients = Array.from({ length: 20 }, () => client(t, example))
  const each = async (redis: Redis) => {
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 50 }, () => redis.incr('count')))
    }
  }
  await Promise.all(clients.map(each))
  t.is(await clients[0]?.get('count'), '10000')
})

test('a key expires by itself', async (t) => {
  const redis = client(t, await runListening(t, 'redis/main.ts'))
  await redis.set('short', 'v', 'PX', 1)
  await redis.set('long', 'v', 'PX', 1_000_000)
  while ((await redis.get('short')) !== null);
  t.is(await redis.exists('short'), 0)
  t.is(await redis.pttl('short'), -2)
  const left = await redis.pttl('long')
  t.true(left > 0 && left <= 1_000_000)
  t.is(await redis.pexpire('long', 1), 1)
  while ((await redis.exists('long')) === 1);
  t.is(await redis.get('long'), null)
})

test('expired keys are removed although no client asks for them', async (t) => {
  const redis = client(t, await runListening(t, 'redis/main.ts'))
  const pipeline = redis.pipeline().set('stays', 'v')
  for (let at = 0; at < 1000; at++) pipeline.set(`key:${at}`, 'v', 'PX', 1)
  await pipeline.exec()
  while ((await redis.dbsize()) > 1);
  t.is(await redis.get('stays'), 'v')
})

test('QUIT is answered, and then the connection ends', async (t) => {
  const redis = client(t, await runListening(t, 'redis/main.ts'))
  const ended = once(redis, 'end')
  t.is(await redis.quit(), 'OK')
  await ended
  t.is(redis.status, 'end')
})

test('a client that does not read its replies gets all of them later', async (t) => {
  const example = await runListening(t, 'redis/main.ts')
  const redis = client(t, example)
  const value = randomBytes(1 << 20)
  await redis.set('value', value)
  const late = await connect(example.port)
  late.write('GET value\r\n'.repeat(100).concat('QUIT\r\n'))
  // Other clients are served meanwhile.
  for (let at = 0; at < 100; at++) t.is(await redis.incr('count'), at + 1)
  const replies = await readAll(late)
  const one = Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')])
  t.is(replies.length, 100 * one.length + '+OK\r\n'.length)
  for (let at = 0; at < 100; at++)
    t.is(one.compare(replies, at * one.length, (at + 1) * one.length), 0)
})

test('no more commands are run for a client that does not read its replies', async (t) => {
  const server = await startRedis({ listen: { host: '127.0.0.1', port: 0 }, loops: LOOPS })
  t.teardown(() => server.close({ timeout: 0 }))
  const port = server.port as number
  const redis = client(t, { port })
  const value = randomBytes(1 << 20)
  await redis.set('value', value)
  const late = await connect(port)
  late.pause().write('GET value\r\n'.repeat(100))
  const waiting = () => Math.max(...Array.from(server, (conn) => conn.buffered))
  while (waiting() <= 1 << 20) await redis.ping()
  for (let at = 0; at < 100; at++) await redis.ping()
  // The high-water mark, and the reply that exceeded it.
  t.true(waiting() <= (2 << 20) + 100, `${waiting()} bytes wait`)
  late.destroy()
})

test('after SIGTERM the example answers what it has received, and exits with 0', async (t) => {
  const example = await runListening(t, 'redis/main.ts')
  const socket = await connect(example.port)
  socket.write('PING\r\n')
  await read(socket, '+PONG\r\n'.length)
  await new Promise((written) => socket.write('SET k v\r\nGET k\r\n', written))
  example.kill('SIGTERM')
  t.is((await readAll(socket)).toString(), '+OK\r\n$1\r\nv\r\n')
  t.deepEqual(await example.ended, { code: 0, signal: null, stderr: '' })
})

test('the Redis example says that its port is taken', async (t) => {
  const { port } = await runListening(t, 'redis/main.ts')
  const { ended } = run(t, 'redis/main.ts', { PORT: String(port) })
  const stderr = `port ${port} is taken: choose another with PORT=..., or PORT=0 for any\n`
  t.deepEqual(await ended, { code: 1, signal: null, stderr })
})
