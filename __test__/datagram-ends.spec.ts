import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { bind } from 'millrace'
import { bound, peer } from './support/datagrams.js'
import { CAN_COUNT, descriptors, millraceThreadsOf } from './support/proc.js'
import { launch } from './support/process.js'
import { start } from './support/serve.js'

const LOOPS = process.platform === 'linux' ? ([1, 2, 'inline'] as const) : ([1, 'inline'] as const)

/** The ways to end a process that has replied. */
const WAYS = [
  { way: 'running dry', code: 3 },
  { way: 'unref', code: 4 },
  { way: 'process.exit in message', code: 5 },
  { way: 'uncaught exception', code: 1 },
] as const

for (const loops of LOOPS) {
  for (const { way, code } of WAYS) {
    test.serial(
      `a process with a socket ends after its reply was sent: ${way} (loops: ${loops})`,
      async (t) => {
        const fixture = launch(t, 'datagram-exit', { args: [way, loops, code] })
        const client = await peer(t)
        t.is(String(await client.ask('request', Number(await fixture.line()))), 'reply')
        const end = await fixture.ended
        t.deepEqual({ code: end.code, signal: end.signal }, { code, signal: null })
      },
    )

    test.serial(
      `a worker with a socket ends and leaves no thread: ${way} (loops: ${loops})`,
      async (t) => {
        const fixture = launch(t, 'datagram-exit', { args: [`worker: ${way}`, loops, code] })
        const client = await peer(t)
        t.is(String(await client.ask('request', Number(await fixture.line()))), 'reply')
        const errors = way === 'uncaught exception' ? ['error from the handler'] : []
        t.deepEqual(await fixture.rest(), [...errors, `exit ${code}`, 'threads 0'])
        t.is((await fixture.ended).code, 0)
      },
    )
  }

  test.serial(
    `closed sockets leave no thread and no descriptor behind (loops: ${loops})`,
    async (t) => {
      const once = async () => {
        const sockets = await Promise.all(
          Array.from({ length: 5 }, () =>
            bind({ address: 'udp://127.0.0.1:0', loops, message() {} }),
          ),
        )
        await Promise.all(sockets.map((socket) => socket.close()))
      }
      await once() // Node opens some descriptors once and keeps them
      const before = descriptors()
      for (let round = 0; round < 10; round++) await once()
      t.deepEqual(await millraceThreadsOf(0), [])
      t.is(descriptors(), before)
    },
  )
}

for (const loops of LOOPS) {
  for (const isBusy of [false, true]) {
    const where = isBusy ? 'inside a handler' : 'under a flood of datagrams'
    test.serial(`workers terminated ${where} leave nothing behind (loops: ${loops})`, async (t) => {
      const source = `
        const { parentPort } = require('node:worker_threads')
        const { bind, connect } = require(${JSON.stringify(process.cwd())})
        let count = 0
        bind({
          address: 'udp://127.0.0.1:0',
          loops: ${JSON.stringify(loops)},
          message(socket, message, info) {
            socket.send(message, info)
            if (!${isBusy} || ++count < 20) return
            parentPort.postMessage('busy')
            for (;;) socket.send(message, info)
          },
        }).then(async (socket) => {
          const port = Number(socket.address.split(':').pop())
          const ours = ${JSON.stringify(loops)}
          const one = await connect({ to: 'udp://127.0.0.1:' + port, loops: ours, message() {} })
          one.send('to itself')
          parentPort.postMessage(port)
        })
      `
      const terminateOne = async () => {
        const client = await peer(t)
        const thread = new Worker(source, { eval: true })
        const [port] = await once(thread, 'message')
        await client.ask('first', port as number)
        const busy = isBusy ? once(thread, 'message') : undefined
        for (let at = 0; at < 500; at++) client.send(Buffer.alloc(100), port as number)
        // A reply shows that the worker is in the middle of the flood.
        await client.next()
        await busy
        await thread.terminate()
      }
      await terminateOne()
      const before = descriptors()
      const workers = 8
      for (let count = 0; count < workers; count++) await terminateOne()
      t.deepEqual(await millraceThreadsOf(0), [])
      // Only the sockets of the clients are left, which are closed with the test.
      t.is(descriptors(), before + (CAN_COUNT ? workers : 0))
    })
  }
}

test.serial('a socket in the slot of a closed one gets none of its datagrams', async (t) => {
  const server = await start(t, { loops: 1 })
  for (let round = 0; round < 20; round++) {
    const client = await peer(t)
    const seen: string[] = []
    const socket = await bound(t, {
      loops: server,
      message(socket, message, info) {
        seen.push(String(message))
        socket.send(message, info)
      },
    })
    t.is(String(await client.ask(`first ${round}`, socket.port)), `first ${round}`)
    t.deepEqual(seen, [`first ${round}`])
    for (let at = 0; at < 20; at++) client.send(`late ${round}`, socket.port)
    await socket.close()
  }
})
