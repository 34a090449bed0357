import test, { type ExecutionContext } from 'ava'
import { type Client, connect, line, serve } from 'millrace'
import { theEnvironment } from '../lib/runtime/environment.js'
import { Count } from './support/counts.js'
import { deadPort, redial } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { AT_ONCE, client, type Options, Peer, peer, States } from './support/reconnect.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

for (const way of ['end', 'destroy'] as const) {
  test(`${way} stops a client that is waiting, connecting or open`, async (t) => {
    for (const when of ['waiting', 'connecting', 'open'] as const) {
      const server = await peer(t)
      const states = new States()
      let isDue = false
      const it = await client(t, {
        to: server.to,
        message: () => {},
        state(client) {
          states.note(client)
          if (isDue && client.state === when) client[way]()
        },
      })
      isDue = true
      if (when === 'open') it[way]()
      else await server.stop()
      if (when === 'open') {
        await server.arrived.reaches(1)
        server.drop()
      }
      await it.closed
      t.is(it.state, 'closed')
      t.is(states.all.at(-1), 'closed')
      t.is(states.of('closed').value, 1)
      t.false(it.write('too late'))
      t.is(it.queued, 0)
      it.end()
      it.destroy(new Error('twice'))
      await turns(20)
      t.is(states.of('closed').value, 1)
    }
  })
}

/** Counts what keeps the process alive from now until the test ends. */
function holds(t: ExecutionContext): { count: number } {
  const environment = theEnvironment()
  const seen = { count: 0 }
  const hold = environment.hold.bind(environment)
  environment.hold = (change) => {
    seen.count += change
    hold(change)
  }
  t.teardown(() => Reflect.deleteProperty(environment, 'hold'))
  return seen
}

for (const way of ['end', 'destroy', 'abort', 'unref', 'ref'] as const) {
  test.serial(
    `${way} in the state callback of a reconnecting client keeps the count of holds correct`,
    async (t) => {
      const peer = new Peer(t, await deadPort())
      await peer.start()
      // On the shared loops, which stop with their last user.
      const server = await serve({
        listen: 'tcp://127.0.0.1:0',
        message: (conn, chunk) => void conn.write(chunk),
      })
      t.teardown(() => server.close({ timeout: 0 }))
      const held = holds(t)
      const states = new States()
      const abort = new AbortController()
      const it = await connect({
        to: peer.to,
        reconnect: AT_ONCE,
        signal: abort.signal,
        message: () => {},
        state(client) {
          states.note(client)
          if (client.state !== 'connecting') return
          if (way === 'abort') abort.abort()
          else if (way === 'ref') client.unref().ref()
          else client[way]()
        },
      })
      t.is(held.count, 1)
      if (way === 'ref') it.unref()
      await peer.arrived.reaches(1)
      peer.drop()
      if (way === 'ref' || way === 'unref') {
        await states.of('open').reaches(2)
        t.is(held.count, way === 'ref' ? 1 : 0)
        it.destroy()
      }
      await it.closed.catch(() => {})
      await turns(20)
      t.is(held.count, 0)
      const address = server.addresses[0] as string
      const echo = await connect({ to: address })
      echo.write('alive')
      for await (const chunk of echo) {
        t.is(String(chunk), 'alive')
        break
      }
      // Close everything before the next test counts.
      await echo[Symbol.asyncDispose]()
      await server.close()
    },
  )
}

for (const way of ['end', 'destroy', 'abort'] as const) {
  for (const [handler, life] of [
    ['context', 1],
    ['open', 1],
    ['context', 2],
    ['open', 2],
  ] as const) {
    test(`${way} in ${handler} of connection ${life} closes the connection and the client`, async (t) => {
      const server = await peer(t, false)
      const closed = new Count()
      const states = new States()
      const abort = new AbortController()
      const reason = new Error('enough')
      let it: Client | undefined
      let opens = 0
      let lives = 0
      const closes: (Error | undefined)[] = []
      const stop = () => {
        if (lives !== life) return
        if (way === 'abort') abort.abort(reason)
        else it?.[way]()
      }
      const connecting = client(t, {
        to: server.to,
        signal: abort.signal,
        context() {
          lives++
          if (handler === 'context') stop()
          return undefined
        },
        open() {
          opens++
          if (handler === 'open') stop()
        },
        message: () => {},
        state(client) {
          it = client
          states.note(client)
        },
        close(_conn, error) {
          closes.push(error)
          closed.up()
        },
      })
      const ending = connecting.then((client) => client.closed).catch((error) => error)
      // The first attempt fails, so that the test has the client before it connects.
      await states.of('waiting').reaches(1)
      await server.start()
      if (life === 2) {
        await states.of('open').reaches(1)
        await server.arrived.reaches(1)
        server.drop()
      }
      const ended = await ending
      if (way === 'abort') t.is(ended, reason)
      else if (life === 1) t.is(codeOf(ended), 'ERR_CLOSED')
      else t.is(ended, undefined)
      await closed.reaches(life)
      t.is(it?.state, 'closed')
      t.is(it?.conn, undefined)
      t.is(states.of('open').value, life - 1)
      t.is(states.of('closed').value, 1)
      await turns(20)
      t.is(states.all.at(-1), 'closed')
      t.is(opens, life)
      t.deepEqual(closes, [
        ...Array.from({ length: life - 1 }, () => undefined),
        way === 'abort' ? reason : undefined,
      ])
    })
  }
}

test('a signal stops a client in every state, with its reason', async (t) => {
  const reason = new Error('enough')
  for (const when of ['waiting', 'connecting', 'open'] as const) {
    const server = await peer(t)
    const abort = new AbortController()
    let isDue = false
    const it = await client(t, {
      to: server.to,
      signal: abort.signal,
      message: () => {},
      state(client) {
        if (isDue && client.state === when) abort.abort(reason)
      },
    })
    isDue = true
    if (when === 'open') abort.abort(reason)
    else await server.stop()
    t.is(await t.throwsAsync(it.closed), reason)
    t.is(it.state, 'closed')
  }
  const abort = new AbortController()
  const port = await deadPort()
  const waiting = gate()
  const never = client(t, {
    to: `tcp://127.0.0.1:${port}`,
    signal: abort.signal,
    reconnect: { min: 60_000 },
    state: () => waiting.open(),
  } as Options)
  await waiting.passed
  abort.abort(reason)
  t.is(await t.throwsAsync(never), reason)
  t.is(await t.throwsAsync(client(t, { to: 'tcp://127.0.0.1:1', signal: abort.signal })), reason)
})

test('await using ends a client and waits until everything written is sent', async (t) => {
  const got = gate<string>()
  const server = await start(t, {
    codec: line(),
    message: (_conn, text) => got.open(String(text)),
  })
  {
    await using it = await redial(t, {
      to: `tcp://127.0.0.1:${server.port}`,
      codec: line(),
      reconnect: AT_ONCE,
    })
    it.write('last words')
  }
  t.is(await got.passed, 'last words')
})

test('close of a client closes its connection, and makes no other', async (t) => {
  const server = await peer(t)
  const it = await client(t, { to: server.to })
  it.close()
  await it.closed
  t.is(it.state, 'closed')
  t.is(server.arrived.value, 1)
})
