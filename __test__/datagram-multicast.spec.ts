import test from 'ava'
import { bind } from 'millrace'
import { bound, portOf } from './support/datagrams.js'
import { gate } from './support/gate.js'
import { ONE } from './support/serve.js'
import { CAN_SHARE, IS_LINUX, interfaceWith, skip } from './support/system.js'

/** An interface with a link-local address: IPv6 routes multicasts there, and rarely on loopback. */
const LINK = interfaceWith((each) => each.family === 'IPv6' && each.scopeid > 0)?.name ?? 'lo'

/** The multicast groups of each family, and an interface for them. */
const FAMILIES = [
  { family: 4, group: '239.255.77.1', other: '239.255.77.2', any: '0.0.0.0', on: '127.0.0.1' },
  { family: 6, group: 'ff12::7701', other: 'ff12::7702', any: '[::]', on: LINK },
] as const

for (const { family, group, other, any, on } of FAMILIES) {
  const to = (address: string, port: number) =>
    family === 4 ? `${address}:${port}` : `[${address}]:${port}`

  /** Why multicasts do not work on this machine, or `undefined` if they do. */
  const whyNot = async (): Promise<string | undefined> => {
    const multicast = { groups: [{ address: group, interface: on }], interface: on }
    try {
      const socket = await bind({ address: `udp://${any}:0`, multicast, error() {} })
      socket.send('probe', to(group, portOf(socket.address)))
      // A datagram to itself, sent after the probe, also arrives after it: if it is first, there is no multicast.
      const self = family === 4 ? '127.0.0.1' : '::1'
      socket.send('end', to(self, portOf(socket.address)))
      for await (const { message } of socket) {
        await socket.close()
        return String(message) === 'probe' ? undefined : 'a multicast does not come back'
      }
    } catch (error) {
      return String(error)
    }
    return 'nothing came'
  }

  if (IS_LINUX && family === 4) {
    test.serial(
      'multicast works on IPv4 loopback, so the IPv4 specs are not skipped',
      async (t) => {
        t.is(await whyNot(), undefined)
      },
    )
  }

  test.serial(
    `T30 a socket gets the multicasts of the group it joined from ten senders, and those of no other group (IPv${family})`,
    async (t) => {
      const why = await whyNot()
      if (why !== undefined) return skip(t, why)
      const seen: string[] = []
      const { passed, open } = gate()
      const address = `udp://${any}:0`
      const joined = await bound(t, {
        address,
        multicast: { groups: [{ address: group, interface: on }] },
        message(_, message) {
          seen.push(String(message))
          if (seen.length === 20) open()
        },
      })
      for (let at = 0; at < 10; at++) {
        const sender = await bound(t, {
          address,
          multicast: { interface: on, ttl: 1, loopback: true },
          message() {},
        })
        sender.send(`other ${at}`, to(other, joined.port))
        sender.send(`first ${at}`, to(group, joined.port))
        sender.send(`second ${at}`, to(group, joined.port))
      }
      await passed
      const wanted = Array.from({ length: 10 }, (_, at) => [`first ${at}`, `second ${at}`]).flat()
      t.deepEqual(seen.sort(), wanted.sort())
    },
  )

  test.serial(`a socket can join and leave a group while it is open (IPv${family})`, async (t) => {
    const why = await whyNot()
    if (why !== undefined) return skip(t, why)
    const socket = await bound(t, { address: `udp://${any}:0`, loops: ONE })
    const self = family === 4 ? '127.0.0.1' : '::1'
    const next = async () => {
      for await (const { message } of socket) return String(message)
      return undefined
    }
    await socket.setMulticastInterface(on)
    await socket.setMulticastTTL(1)
    const both = () => {
      socket.send('multicast', to(group, socket.port))
      socket.send('unicast', to(self, socket.port))
    }
    both()
    t.is(await next(), 'unicast')
    await socket.joinMulticast(group, { interface: on })
    both()
    t.deepEqual([await next(), await next()], ['multicast', 'unicast'])
    await t.throwsAsync(socket.joinMulticast(group, { interface: on }), { code: 'EADDRINUSE' })
    await socket.leaveMulticast(group, { interface: on })
    both()
    t.is(await next(), 'unicast')
    await t.throwsAsync(socket.leaveMulticast(group, { interface: on }), { code: 'EADDRNOTAVAIL' })
  })

  test.serial(`a socket with several loops delivers a multicast once (IPv${family})`, async (t) => {
    if (!CAN_SHARE) return skip(t, 'several loops cannot share a port on this system')
    const why = await whyNot()
    if (why !== undefined) return skip(t, why)
    const seen: string[] = []
    const { passed, open } = gate()
    const socket = await bound(t, {
      address: `udp://${any}:0`,
      loops: 3,
      multicast: { groups: [{ address: group, interface: on }], interface: on },
      message(_, message) {
        seen.push(String(message))
        if (String(message) === 'last') open()
      },
    })
    for (let at = 0; at < 10; at++) socket.send(String(at), to(group, socket.port))
    socket.send('last', to(group, socket.port))
    await passed
    t.deepEqual(seen, [...Array.from({ length: 10 }, (_, at) => String(at)), 'last'])
  })

  test.serial(`all sockets that share an address get a multicast (IPv${family})`, async (t) => {
    const why = await whyNot()
    if (why !== undefined) return skip(t, why)
    const groups = [{ address: group, interface: on }]
    const gates = [gate<string>(), gate<string>()]
    const message = (at: number) => (_: unknown, bytes: Buffer) => gates[at]?.open(String(bytes))
    const options = { reuseAddress: true, multicast: { groups, interface: on } }
    const first = await bound(t, { address: `udp://${any}:0`, ...options, message: message(0) })
    await bound(t, { address: `udp://${any}:${first.port}`, ...options, message: message(1) })
    first.send('to both', to(group, first.port))
    t.deepEqual(await Promise.all(gates.map(({ passed }) => passed)), ['to both', 'to both'])
  })
}

test('an IPv4 group can be joined for one source only', async (t) => {
  const group = '232.1.2.3'
  const socket = await bound(t, { address: 'udp://0.0.0.0:0', loops: ONE })
  const onLoopback = { interface: '127.0.0.1', source: '127.0.0.1' }
  await socket.setMulticastInterface('127.0.0.1')
  try {
    await socket.joinMulticast(group, { ...onLoopback, source: '127.0.0.9' })
  } catch (error) {
    return skip(t, String(error))
  }
  const next = async () => {
    for await (const { message } of socket) return String(message)
    return undefined
  }
  socket.send('from another source', `${group}:${socket.port}`)
  socket.send('unicast', `127.0.0.1:${socket.port}`)
  t.is(await next(), 'unicast')
  await socket.leaveMulticast(group, { ...onLoopback, source: '127.0.0.9' })
  await socket.joinMulticast(group, onLoopback)
  socket.send('from the source', `${group}:${socket.port}`)
  t.is(await next(), 'from the source')
})

test('an IPv6 group can be joined for one source only', async (t) => {
  const group = 'ff32::7705'
  const found = interfaceWith((each) => each.family === 'IPv6' && each.scopeid > 0)
  const on = found?.name ?? 'lo'
  const own = found?.address ?? '::1'
  let socket: Awaited<ReturnType<typeof bound>>
  try {
    socket = await bound(t, {
      address: 'udp://[::]:0',
      loops: ONE,
      error() {},
      multicast: { interface: on },
    })
    await socket.joinMulticast(group, { interface: on })
  } catch (error) {
    return skip(t, String(error))
  }
  const next = async () => {
    for await (const { message, info } of socket) return [String(message), info.address]
    return undefined
  }
  const both = (text: string) => {
    socket.send(text, `[${group}]:${socket.port}`)
    socket.send('unicast', `[::1]:${socket.port}`)
  }
  both('from anybody')
  const first = await next()
  if (first?.[0] !== 'from anybody') return skip(t, 'a multicast does not come back')
  t.is((await next())?.[0], 'unicast')
  await socket.leaveMulticast(group, { interface: on })
  // The sender as the info of a datagram shows it, with its zone.
  const [, sender = ''] = first
  t.true(sender.startsWith(own))
  await socket.joinMulticast(group, { interface: on, source: 'fe80::dead' })
  both('from another source')
  t.is((await next())?.[0], 'unicast')
  await socket.leaveMulticast(group, { interface: on, source: 'fe80::dead' })
  await socket.joinMulticast(group, { interface: on, source: sender })
  both('from the source')
  t.deepEqual(await next(), ['from the source', sender])
  t.is((await next())?.[0], 'unicast')
  await socket.leaveMulticast(group, { interface: on, source: sender })
  both('to nobody')
  t.is((await next())?.[0], 'unicast')
  const strange = { interface: on, source: 'fe80::1%4095' }
  await t.throwsAsync(socket.joinMulticast(group, strange), { code: 'ERR_INVALID_OPTION' })
})

test("setMulticastLoopback(false) keeps a socket's multicasts from its own machine", async (t) => {
  const found = interfaceWith((each) => each.family === 'IPv4' && !each.internal)
  if (found === undefined) return skip(t, 'there is no interface except loopback')
  const group = '239.255.77.3'
  const socket = await bound(t, { address: 'udp://0.0.0.0:0', loops: ONE, error() {} })
  const next = async () => {
    for await (const { message } of socket) return String(message)
    return undefined
  }
  const both = () => {
    socket.send('multicast', `${group}:${socket.port}`)
    socket.send('unicast', `127.0.0.1:${socket.port}`)
  }
  await socket.joinMulticast(group, { interface: found.name })
  await socket.setMulticastInterface(found.name)
  both()
  if ((await next()) !== 'multicast') return skip(t, 'a multicast does not come back')
  t.is(await next(), 'unicast')
  await socket.setMulticastLoopback(false)
  both()
  t.is(await next(), 'unicast')
})

test('invalid multicast groups, interfaces and values are refused', async (t) => {
  const socket = await bound(t, { address: 'udp://0.0.0.0:0', message() {} })
  for (const group of ['127.0.0.1', '240.0.0.1', 'fe80::1', 'nobody', '', undefined]) {
    const error = { code: 'ERR_INVALID_ADDRESS' }
    await t.throwsAsync(socket.joinMulticast(group as string), error, String(group))
    await t.throwsAsync(socket.leaveMulticast(group as string), error, String(group))
  }
  const refused = { code: 'ERR_INVALID_OPTION' }
  for (const name of ['nowhere0', '::1', 7]) {
    await t.throwsAsync(socket.joinMulticast('239.1.2.3', { interface: name }), refused)
    await t.throwsAsync(socket.setMulticastInterface(name), refused)
  }
  await t.throwsAsync(socket.joinMulticast('239.1.2.3', { source: '::1' }), refused)
  await t.throwsAsync(socket.joinMulticast('ff02::114', { interface: 'nowhere0' }), refused)
  for (const source of ['127.0.0.1', 'ff02::1', '::1%nowhere0', '', 7]) {
    await t.throwsAsync(
      socket.joinMulticast('ff02::114', { source: source as string, interface: 1 }),
      refused,
      String(source),
    )
  }
  await t.throwsAsync(socket.setTTL(0), refused)
  await t.throwsAsync(socket.setTTL(256), refused)
  await t.throwsAsync(socket.setTTL(undefined as never), refused)
  await t.throwsAsync(socket.setMulticastTTL(-1), refused)
  await t.throwsAsync(socket.setBroadcast('yes' as never), refused)
  await t.throwsAsync(socket.setMulticastLoopback(undefined as never), refused)
  await socket.setTTL(64)
  await socket.close()
  await t.throwsAsync(socket.setTTL(64), { code: 'ERR_CLOSED' })
  await t.throwsAsync(socket.joinMulticast('239.1.2.3'), { code: 'ERR_CLOSED' })
})
