import test from 'ava'
import { line } from 'millrace'
import { client, peer, States } from './support/reconnect.js'

test('messages written during an outage are sent in order, after those of open and before later ones', async (t) => {
  const server = await peer(t)
  const states = new States()
  const it = await client(t, {
    to: server.to,
    codec: line(),
    open: (conn) => void conn.write('hello'),
    state: states.note,
  })
  t.true(it.write('live'))
  await server.bytes.reaches(11)
  await server.arrived.reaches(1)
  await server.stop()
  await states.of('waiting').reaches(1)
  const reused = Buffer.from('0')
  for (let n = 0; n < 10; n++) {
    reused[0] = 48 + n
    t.true(it.write(reused))
  }
  t.is(it.queued, 20)
  await server.start()
  await states.of('open').reaches(2)
  t.is(it.queued, 0)
  it.write('after')
  await server.bytes.reaches(11 + 6 + 20 + 6)
  const digits = Array.from({ length: 10 }, (_, n) => `${n}\n`).join('')
  t.deepEqual(server.lives, ['hello\nlive\n', `hello\n${digits}after\n`])
})

test('write throws over maxOffline, and keeps nothing of the message', async (t) => {
  const server = await peer(t)
  const states = new States()
  const options = { to: server.to, maxOffline: 100, codec: line({ max: 1000 }), state: states.note }
  const it = await client(t, options)
  await server.arrived.reaches(1)
  await server.stop()
  await states.of('waiting').reaches(1)
  t.true(it.write('x'.repeat(98)))
  t.throws(() => it.write('y'), { code: 'ERR_WRITE_BUFFER_FULL' })
  t.is(it.queued, 99)
  t.true(it.write(''))
  t.throws(() => it.write('one\ntwo'), { code: 'ERR_FRAME_INVALID' })
  t.throws(() => it.write('z'.repeat(1001)), { code: 'ERR_FRAME_TOO_LARGE' })
  t.is(it.queued, 100)
  await server.start()
  await server.bytes.reaches(100)
  t.is(server.lives[1], `${'x'.repeat(98)}\n\n`)
  t.true(it.write('and on'))
})

test('with offline: refuse write returns false during an outage', async (t) => {
  const server = await peer(t)
  const states = new States()
  const it = await client(t, { to: server.to, offline: 'refuse', state: states.note })
  await server.arrived.reaches(1)
  await server.stop()
  await states.of('waiting').reaches(1)
  t.false(it.write('lost'))
  t.is(it.queued, 0)
  await server.start()
  await states.of('open').reaches(2)
  t.true(it.write('kept'))
  await server.bytes.reaches(4)
  t.deepEqual(server.lives, ['', 'kept'])
})

test('a message written while the connection is ending waits for the next one', async (t) => {
  const server = await peer(t)
  const it = await client(t, { to: server.to })
  it.conn?.end()
  t.true(it.write('for the next'))
  t.is(it.queued, 12)
  await server.arrived.reaches(1)
  server.drop()
  await server.bytes.reaches(12)
  t.deepEqual(server.lives, ['', 'for the next'])
})

test('offline: queue is refused with a codec for each connection', async (t) => {
  const server = await peer(t)
  const states = new States()
  const codec = () => line()
  const option = { code: 'ERR_INVALID_OPTION' }
  await t.throwsAsync(client(t, { to: server.to, codec, offline: 'queue' }), option)
  const it = await client(t, { to: server.to, codec, state: states.note })
  await server.arrived.reaches(1)
  await server.stop()
  await states.of('waiting').reaches(1)
  t.false(it.write('nowhere'))
})
