import type net from 'node:net'
import test from 'ava'
import { Count } from './support/counts.js'
import { blackhole, peer } from './support/dial.js'
import { gate } from './support/gate.js'
import { launch } from './support/process.js'

for (const loops of [1, 'inline'] as const) {
  for (const [way, lines] of Object.entries({
    'a connection': ['on', 'closed', 'dry'],
    'a client that waits': ['open', 'waiting', 'connecting', 'closed', 'dry'],
  })) {
    test.serial(`${way} keeps the process alive (loops: ${loops})`, async (t) => {
      const sockets: net.Socket[] = []
      const arrived = new Count()
      const stop = gate()
      const to = await peer(
        t,
        'tcp',
        (socket) => {
          sockets.push(socket)
          arrived.up()
        },
        { until: stop.passed },
      )
      const fixture = launch(t, 'alive-client', { args: [way, to, loops] })
      const first = await fixture.line()
      t.is(first, lines[0] as string)
      await arrived.reaches(1)
      // Nobody listens any more when the client tries again.
      stop.open()
      for (const socket of sockets) socket.destroy()
      t.deepEqual(await fixture.rest(), lines.slice(1))
      t.deepEqual(await fixture.ended, { code: 0, signal: null, stderr: '' })
    })
  }

  test.serial(
    `an unrefed connection does not keep the process alive (loops: ${loops})`,
    async (t) => {
      const to = await peer(t, 'tcp', (socket) => socket.resume())
      const fixture = launch(t, 'alive-client', { args: ['an unrefed connection', to, loops] })
      t.deepEqual(await fixture.rest(), ['on', 'dry'])
      t.deepEqual(await fixture.ended, { code: 0, signal: null, stderr: '' })
    },
  )

  test.serial(
    `an unrefed client does not keep the process alive, connected or waiting (loops: ${loops})`,
    async (t) => {
      const to = await peer(t, 'tcp', (socket) => socket.resume())
      const fixture = launch(t, 'alive-client', {
        args: ['an unrefed client that waits', to, loops],
      })
      t.deepEqual(await fixture.rest(), ['open', 'dry'])
      t.deepEqual(await fixture.ended, { code: 0, signal: null, stderr: '' })
    },
  )

  if (process.platform === 'linux') {
    test.serial(`a pending connection keeps the process alive (loops: ${loops})`, async (t) => {
      const to = `tcp://127.0.0.1:${await blackhole(t)}`
      const way = 'a connection that is being made'
      const fixture = launch(t, 'alive-client', { args: [way, to, loops] })
      t.deepEqual(await fixture.rest(), ['ERR_CONNECT_TIMEOUT', 'dry'])
      t.deepEqual(await fixture.ended, { code: 0, signal: null, stderr: '' })
    })
  }
}
