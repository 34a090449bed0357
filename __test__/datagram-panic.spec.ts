import test from 'ava'
import type { LoopSocket } from '../lib/datagram/loop-socket.js'
import { theEnvironment } from '../lib/runtime/environment.js'
import { injectPanic } from '../native.cjs'
import { bound, peer } from './support/datagrams.js'
import { codeOf, gate } from './support/gate.js'

/** The indices of the loops that have datagram sockets. */
function loopsWithSockets(): number[] {
  const loops = theEnvironment().loops.filter((loop) => loop?.sockets.some((socket) => socket))
  return loops.map((loop) => loop?.index as number)
}

for (const loops of [1, 'inline'] as const) {
  test.serial(
    `a socket closes with an error when its only loop panics (loops: ${loops})`,
    async (t) => {
      const { passed, open } = gate<Error | undefined>()
      const socket = await bound(t, { loops, message() {}, close: (_, error) => open(error) })
      const [loop] = loopsWithSockets()
      injectPanic(theEnvironment().handle, loop as number)
      // An inline loop notices the panic when it has something to do.
      if (loops === 'inline') socket.send('x', `127.0.0.1:${socket.port}`)
      t.is(codeOf(await passed), 'ERR_LOOP_PANIC')
      t.is(socket.readyState, 'closed')
      t.false(socket.send('x', '127.0.0.1:9'))
      await socket.close()
      await t.throwsAsync(socket.setTTL(9), { code: 'ERR_CLOSED' })
      t.deepEqual(loopsWithSockets(), [])
    },
  )
}

test.serial('a pending pull rejects with the error that closed the socket', async (t) => {
  const socket = await bound(t, { loops: 1 })
  const pull = socket[Symbol.asyncIterator]().next()
  const [loop] = loopsWithSockets()
  injectPanic(theEnvironment().handle, loop as number)
  await t.throwsAsync(pull, { code: 'ERR_LOOP_PANIC' })
})

if (process.platform === 'linux') {
  test.serial(
    'a socket that loses one of several loops goes on, with the same peers',
    async (t) => {
      const { passed, open } = gate<string | undefined>()
      const socket = await bound(t, {
        loops: 3,
        message: (socket, message, info) => void socket.send(message, info),
        error: (error) => open(codeOf(error)),
      })
      const [lost] = loopsWithSockets()
      injectPanic(theEnvironment().handle, lost as number)
      t.is(await passed, 'ERR_LOOP_PANIC')
      t.is(socket.readyState, 'open')
      for (let count = 0; count < 20; count++) {
        const client = await peer(t)
        t.is(String(await client.ask(`hello ${count}`, socket.port)), `hello ${count}`)
        t.true(socket.send('by text', `127.0.0.1:${client.port}`))
        t.is(String(await client.next()), 'by text')
      }
    },
  )

  test.serial('datagrams queued on a lost loop do not hold back drain', async (t) => {
    const lost = gate()
    let drained = gate()
    let drains = 0
    const socket = await bound(t, {
      loops: 2,
      highWaterMark: 1,
      message() {},
      drain() {
        drains++
        drained.open()
      },
      error: () => lost.open(),
    })
    const client = await peer(t)
    const [index] = loopsWithSockets()
    const loop = theEnvironment().loops[index as number]
    const loopSocket = loop?.sockets.find((each) => each !== undefined) as LoopSocket | undefined
    // A destination that this loop sends to.
    let to = ''
    for (let host = 1; to === '' && host < 255; host++) {
      drained = gate()
      t.false(socket.send('x', `127.0.0.${host}:${client.port}`))
      if (loopSocket?.isDrainPending) to = `127.0.0.${host}:${client.port}`
      await drained.passed
    }
    drained = gate()
    drains = 0
    injectPanic(theEnvironment().handle, index as number)
    t.false(socket.send('never sent', to))
    t.true(loopSocket?.isDrainPending)
    await drained.passed
    await lost.passed
    t.is(drains, 1)
    drained = gate()
    t.false(socket.send('by the other', to))
    await drained.passed
    t.is(drains, 2)
  })

  test.serial('a socket that lost a loop closes without an error', async (t) => {
    const lost = gate<string | undefined>()
    const closed = gate<Error | undefined>()
    const socket = await bound(t, {
      loops: 2,
      message() {},
      error: (error) => lost.open(codeOf(error)),
      close: (_, error) => closed.open(error),
    })
    const [loop] = loopsWithSockets()
    injectPanic(theEnvironment().handle, loop as number)
    // This must work whether the loss is reported already or not.
    await socket.setTTL(8)
    t.is(await lost.passed, 'ERR_LOOP_PANIC')
    await socket.setTTL(9)
    await socket.setBroadcast(true)
    await socket.close()
    t.is(await closed.passed, undefined)
    await t.throwsAsync(socket.setTTL(9), { code: 'ERR_CLOSED' })
  })

  test.serial('a socket that loses all its loops closes with ERR_LOOP_PANIC', async (t) => {
    const closed = gate<Error | undefined>()
    let told = 0
    await bound(t, {
      loops: 2,
      message() {},
      error: () => told++,
      close: (_, error) => closed.open(error),
    })
    for (const loop of loopsWithSockets()) injectPanic(theEnvironment().handle, loop)
    t.is(codeOf(await closed.passed), 'ERR_LOOP_PANIC')
    t.is(told, 1)
  })

  test.serial('the groups of a lost loop are joined on another loop', async (t) => {
    const on = '127.0.0.1'
    const groups = [{ address: '239.255.77.11', interface: on }]
    let lost = gate<string | undefined>()
    const socket = await bound(t, {
      address: 'udp://0.0.0.0:0',
      loops: 3,
      multicast: { groups, interface: on },
      error: (error) => lost.open(codeOf(error)),
    })
    const next = async () => {
      for await (const { message } of socket) return String(message)
      return undefined
    }
    await socket.joinMulticast('239.255.77.12', { interface: on })
    const hears = async (group: number) => {
      socket.send(`to ${group}`, `239.255.77.${group}:${socket.port}`)
      t.is(await next(), `to ${group}`)
    }
    await hears(11)
    await hears(12)
    for (let round = 0; round < 2; round++) {
      const [loop] = loopsWithSockets()
      injectPanic(theEnvironment().handle, loop as number)
      t.is(await lost.passed, 'ERR_LOOP_PANIC')
      lost = gate()
      await hears(11)
      await hears(12)
    }
    await socket.leaveMulticast('239.255.77.11', { interface: on })
    await t.throwsAsync(socket.leaveMulticast('239.255.77.11', { interface: on }), {
      code: 'EADDRNOTAVAIL',
    })
  })
}
