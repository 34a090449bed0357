import { readFileSync } from 'node:fs'
import {
  type NetworkInterfaceInfo,
  type NetworkInterfaceInfoIPv6,
  networkInterfaces,
} from 'node:os'
import test, { type ExecutionContext } from 'ava'
import { bind, connect, type DatagramInfo } from 'millrace'
import { bound, peer, portOf } from './support/datagrams.js'
import { codeOf, gate } from './support/gate.js'
import { ONE } from './support/serve.js'

const IS_LINUX = process.platform === 'linux'
const CAN_SHARE = IS_LINUX || process.platform === 'freebsd'

/** A spec that this system cannot run says why. */
function skip(t: ExecutionContext, why: string): void {
  t.log(`skipped: ${why}`)
  t.pass()
}

/** The first address of this machine that is wanted, and its interface. */
function interfaceWith(
  wanted: (each: NetworkInterfaceInfo) => boolean,
): (NetworkInterfaceInfo & { name: string }) | undefined {
  const all = Object.entries(networkInterfaces()).flatMap(([name, infos = []]) =>
    infos.map((info) => ({ name, ...info })),
  )
  return all.find(wanted)
}

/** Sockets of this machine on that port. */
function socketsOn(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const lines = readFileSync('/proc/net/udp', 'utf8').split('\n')
  return lines.filter((line) => line.includes(`:${hex} 00000000:0000`)).length
}

test('several loops have a socket each on one port, and every peer is answered by one', async (t) => {
  if (!CAN_SHARE) {
    const error = await t.throwsAsync(bind({ address: 'udp://127.0.0.1:0', loops: 2 }))
    t.is(codeOf(error), 'ERR_UNSUPPORTED')
    return
  }
  const socket = await bound(t, {
    loops: 4,
    message: (socket, message, info) => void socket.send(message, info),
  })
  if (IS_LINUX) t.is(socketsOn(socket.port), 4)
  const clients = await Promise.all(Array.from({ length: 64 }, () => peer(t)))
  const rounds = clients.map(async (client, at) => {
    for (let round = 0; round < 20; round++) {
      const text = `${at} ${round}`
      if (String(await client.ask(text, socket.port)) !== text) return false
    }
    return true
  })
  t.deepEqual(new Set(await Promise.all(rounds)), new Set([true]))
  t.like(socket.stats(), { received: 64 * 20, sent: 64 * 20 })
  // By text, any of its sockets sends: all have the one port.
  for (const client of clients) t.true(socket.send('bye', `127.0.0.1:${client.port}`))
  for (const client of clients) t.is(String(await client.next()), 'bye')
  await socket.close()
  if (IS_LINUX) t.is(socketsOn(socket.port), 0)
})

test('the shared loops get one socket, or one each with reusePort', async (t) => {
  const one = await bound(t, { loops: undefined as never, message() {} })
  if (IS_LINUX) t.is(socketsOn(one.port), 1)
  if (!CAN_SHARE) return
  const each = await bound(t, { loops: 3, reusePort: true, message() {} })
  if (IS_LINUX) t.is(socketsOn(each.port), 3)
  const single = await bound(t, { loops: 3, reusePort: false, message() {} })
  if (IS_LINUX) t.is(socketsOn(single.port), 1)
})

test('a port that is taken is refused, and nothing is left', async (t) => {
  const first = await bound(t, { message() {} })
  const again = { address: first.address, message() {} }
  const error = await t.throwsAsync(bound(t, again))
  t.like(error, { code: 'EADDRINUSE', syscall: 'bind', port: first.port })
  await first.close()
  const second = await bound(t, again)
  t.is(second.address, first.address)
})

test('several loops take no port that somebody else has, unless it is to be shared', async (t) => {
  if (!CAN_SHARE) return skip(t, 'several loops share no port here')
  const first = await bound(t, { loops: 2, message() {} })
  const { address } = first
  await t.throwsAsync(bound(t, { address, loops: 2, message() {} }), { code: 'EADDRINUSE' })
  const second = await bound(t, { address, loops: 2, reusePort: true, message() {} })
  if (IS_LINUX) t.is(socketsOn(first.port), 4)
  t.is(second.address, address)
})

test('without a host a socket takes IPv6 and IPv4, and shows IPv4 as such', async (t) => {
  const infos: DatagramInfo[] = []
  const socket = await bound(t, {
    address: 'udp://:0',
    message(socket, message, info) {
      infos.push(info)
      socket.send(message, info.remote)
    },
  })
  const four = await peer(t)
  t.is(String(await four.ask('four', socket.port)), 'four')
  t.is(infos[0]?.remote, `127.0.0.1:${four.port}`)
  if (!socket.address.includes('[::]')) return skip(t, 'there is no IPv6 here')
  const six = await peer(t, { host: '::1' })
  t.is(String(await six.ask('six', socket.port)), 'six')
  t.is(infos[1]?.remote, `[::1]:${six.port}`)
  t.is(infos[1]?.family, 6)
})

test('an IPv6 address takes IPv6 alone, unless ipv6Only says otherwise', async (t) => {
  const hasIPv6 = await bind({ address: 'udp://[::1]:0' }).then(
    (socket) => socket.close().then(() => true),
    () => false,
  )
  if (!hasIPv6) return skip(t, 'there is no IPv6 here')
  const echo = {
    message(socket: Awaited<ReturnType<typeof bind>>, message: Buffer, info: DatagramInfo) {
      socket.send(message, info)
    },
  }
  const alone = await bound(t, { address: 'udp://[::]:0', ...echo })
  t.throws(() => alone.send('x', '127.0.0.1:9'), { code: 'ERR_INVALID_ADDRESS' })
  const both = await bound(t, { address: 'udp://[::]:0', ipv6Only: false, ...echo })
  t.is(String(await (await peer(t)).ask('four', both.port)), 'four')
  const six = await bound(t, { address: 'udp://:0', ipv6Only: true, ...echo })
  t.throws(() => six.send('x', '127.0.0.1:9'), { code: 'ERR_INVALID_ADDRESS' })
  t.is(String(await (await peer(t, { host: '::1' })).ask('six', six.port)), 'six')
})

test('every way to write an IPv6 address is understood, and one is shown', async (t) => {
  const socket = await bound(t, { address: 'udp://:0' })
  if (!socket.address.includes('[::]')) return skip(t, 'there is no IPv6 here')
  const client = await peer(t, { host: '::1' })
  for (const text of ['::1', '0:0:0:0:0:0:0:1', '0000::0001', '::0.0.0.1', '0::1']) {
    t.true(socket.send(text, `[${text}]:${client.port}`))
    t.is(String(await client.next()), text)
  }
  const four = await peer(t)
  t.true(socket.send('mapped', `[::ffff:127.0.0.1]:${four.port}`))
  t.is(String(await four.next()), 'mapped')
})

test('a link-local address has a zone, by number or by the name of its interface', async (t) => {
  const found = interfaceWith((each) => each.family === 'IPv6' && each.scopeid > 0)
  if (found === undefined) return skip(t, 'no interface has a link-local address')
  const { name, address } = found
  const { scopeid } = found as NetworkInterfaceInfoIPv6
  const { passed, open } = gate<DatagramInfo>()
  const server = await bound(t, {
    address: `udp://[${address}%${name}]:0`,
    message(socket, message, info) {
      open(info)
      socket.send(message, info)
    },
  })
  t.is(server.address, `udp://[${address}%${scopeid}]:${server.port}`)
  const client = await bound(t, { address: 'udp://[::]:0' })
  for (const zone of [name, scopeid]) {
    client.send(String(zone), `[${address}%${zone}]:${server.port}`)
    for await (const { message, info } of client) {
      t.is(String(message), String(zone))
      t.is(info.remote, `[${address}%${scopeid}]:${server.port}`)
      break
    }
  }
  t.is((await passed).address, `${address}%${scopeid}`)
  const to = `[${address}%${scopeid}]:${server.port}`
  const connected = await connect({ to: `udp://[${address}%${name}]:${server.port}`, message() {} })
  t.teardown(() => connected.close())
  t.is(connected.remote, to)
})

test('a zone that is no interface is refused', async (t) => {
  const socket = await bound(t, { address: 'udp://:0', message() {} })
  t.throws(() => socket.send('x', '[fe80::1%nowhere0]:9'), { code: 'ERR_INVALID_ADDRESS' })
  await t.throwsAsync(bind({ address: 'udp://[fe80::1%nowhere0]:0' }), {
    code: 'ERR_INVALID_ADDRESS',
  })
})

test('broadcasts are sent where that is allowed', async (t) => {
  if (!IS_LINUX) return skip(t, 'only Linux has a broadcast address on its loopback')
  const { passed, open } = gate<string>()
  const receiver = await bound(t, {
    address: 'udp://0.0.0.0:0',
    message: (_, message) => open(String(message)),
  })
  const refused = gate<string | undefined>()
  const sender = await bound(t, { message() {}, error: (error) => refused.open(codeOf(error)) })
  sender.send('forbidden', `127.255.255.255:${receiver.port}`)
  t.is(await refused.passed, 'EACCES')
  await sender.setBroadcast(true)
  sender.send('to all', `127.255.255.255:${receiver.port}`)
  t.is(await passed, 'to all')
  const allowed = await bound(t, { broadcast: true, message() {} })
  allowed.send('again', `127.255.255.255:${receiver.port}`)
  t.is(receiver.stats().errors + allowed.stats().errors, 0)
})

/** An interface that has a link-local address: IPv6 routes multicasts there, and mostly not on loopback. */
const LINK = interfaceWith((each) => each.family === 'IPv6' && each.scopeid > 0)?.name ?? 'lo'

/** Families of multicast, and the interfaces for them. */
const FAMILIES = [
  { family: 4, group: '239.255.77.1', other: '239.255.77.2', any: '0.0.0.0', on: '127.0.0.1' },
  { family: 6, group: 'ff12::7701', other: 'ff12::7702', any: '[::]', on: LINK },
] as const

for (const { family, group, other, any, on } of FAMILIES) {
  const to = (address: string, port: number) =>
    family === 4 ? `${address}:${port}` : `[${address}]:${port}`

  /** Whether multicasts come through here at all, and why not. */
  const whyNot = async (): Promise<string | undefined> => {
    const multicast = { groups: [{ address: group, interface: on }], interface: on }
    try {
      const socket = await bind({ address: `udp://${any}:0`, multicast, error() {} })
      socket.send('probe', to(group, portOf(socket.address)))
      // What is sent to itself after it comes after it, if that comes at all.
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
      'multicasts come back on loopback here: the specs of IPv4 are not skipped',
      async (t) => {
        t.is(await whyNot(), undefined)
      },
    )
  }

  test.serial(
    `T30 a multicast from ten senders reaches who joined, and nobody else (IPv${family})`,
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

  test.serial(`a group is joined and left while a socket lives (IPv${family})`, async (t) => {
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

  test.serial(`with several loops a multicast is delivered once (IPv${family})`, async (t) => {
    if (!CAN_SHARE) return skip(t, 'several loops share no port here')
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

  test.serial(`receivers that share an address all get a multicast (IPv${family})`, async (t) => {
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

test('an IPv4 multicast may be of one source only', async (t) => {
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

test('an IPv6 multicast may be of one source only', async (t) => {
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
  // As the info of a datagram shows it, with its zone.
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

test('a machine may keep from itself the multicasts that it sends', async (t) => {
  const found = interfaceWith((each) => each.family === 'IPv4' && !each.internal)
  if (found === undefined) return skip(t, 'there is no interface but the loopback')
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

test('what is no multicast group, interface or value is refused', async (t) => {
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
