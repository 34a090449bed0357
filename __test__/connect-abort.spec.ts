import test from 'ava'
import type { Conn } from 'millrace'
import { Count } from './support/counts.js'
import { blackhole, dial, peer } from './support/dial.js'
import { gate } from './support/gate.js'
import { start } from './support/serve.js'
import { linux } from './support/system.js'
import { turns } from './support/turns.js'

test('a signal that is already aborted rejects with its reason', async (t) => {
  const to = await peer(t, 'tcp', () => t.fail('connected'))
  const reason = new Error('never mind')
  const open = () => t.fail('opened')
  const connecting = dial(t, { to, open, signal: AbortSignal.abort(reason) })
  t.is(await t.throwsAsync(connecting), reason)
})

linux(
  'aborting while connecting rejects with the reason, even if the reason is not an error',
  async (t) => {
    const to = `tcp://127.0.0.1:${await blackhole(t)}`
    for (const reason of [new Error('changed my mind'), 'a word']) {
      const abort = new AbortController()
      const connecting = dial(t, { to, signal: abort.signal })
      await turns(20)
      abort.abort(reason)
      t.is(await connecting.catch((error: unknown) => error), reason)
    }
  },
)

test('aborting destroys an open connection', async (t) => {
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

test('whenever connecting is aborted, the handlers get either nothing or open and then close', async (t) => {
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
      message: () => t.fail('a message that nobody sent'),
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
  // Both outcomes happened: otherwise the rounds prove less than they should.
  t.is(results.size, 2)
})

test('one signal destroys many connections', async (t) => {
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
