/** Every option of every function refuses what it cannot use, with an error that has a code. */

import test, { type ExecutionContext } from 'ava'
import {
  bind,
  connect,
  delimiter,
  fixed,
  lengthField,
  line,
  listener,
  pipe,
  pipeFrom,
  raw,
  sendFile,
  serve,
  varint,
} from 'millrace'
import { bound } from './support/datagrams.js'
import { dial } from './support/dial.js'
import { codeOf, gate } from './support/gate.js'
import { ANY, ONE, start } from './support/serve.js'

function refuse(): never {
  throw new Error('an invalid value was converted')
}

/** Values that no option takes. Most of them throw when they are compared, calculated with, or shown. */
const BAD: Readonly<Record<string, unknown>> = {
  'a bigint': 5000n,
  NaN: Number.NaN,
  'a symbol': Symbol('5000'),
  null: null,
  'an object that cannot be converted': {
    valueOf: refuse,
    toString: refuse,
    [Symbol.toPrimitive]: refuse,
  },
  'an array of a bigint': [5000n],
}

const CODES: readonly unknown[] = ['ERR_INVALID_OPTION', 'ERR_INVALID_ADDRESS']

/** A function that takes options. */
type Taker = (options: never) => unknown

/** Returns what a call throws, or what its promise rejects with. */
async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    await call()
    return undefined
  } catch (thrown) {
    return thrown
  }
}

/** Checks that a function refuses each bad value. */
async function refuses(t: ExecutionContext, what: string, take: Taker): Promise<void> {
  for (const [name, value] of Object.entries(BAD)) {
    const error = await thrownBy(() => take(value as never))
    t.true(CODES.includes(codeOf(error)), `${what}, ${name}: ${String(error)}`)
  }
}

/** Returns the names of the options that a function takes, as it says itself. */
async function namesOf(take: Taker): Promise<readonly string[]> {
  const { message } = (await thrownBy(() => take({ noSuchOption: 1 } as never))) as Error
  const [, names = ''] =
    /there is no option noSuchOption.*: the options are (.+)$/.exec(message) ?? []
  return names === '' ? [] : names.split(', ')
}

/** Checks that a function refuses each bad value for each of its options, and in their place. */
async function refusesAll(t: ExecutionContext, what: string, take: Taker, least = 1) {
  const names = await namesOf(take)
  t.true(names.length >= least, `${what} has ${names.length} options`)
  for (const name of names)
    await refuses(t, `${what}.${name}`, (value) => take({ [name]: value } as never))
}

const to = 'tcp://127.0.0.1:1'
const udp = 'udp://127.0.0.1:1'
const address = 'udp://0.0.0.0:0'

/** Functions that open something, and the least number of their options. */
const OPENING: Readonly<
  Record<string, readonly [take: (options: object) => unknown, least: number]>
> = {
  serve: [(options) => serve({ listen: ANY, loops: ONE, ...options }), 39],
  'an entry of listen': [
    (entry) => serve({ listen: { address: ANY, ...entry } as never, loops: ONE }),
    35,
  ],
  'an entry by port': [
    (entry) => serve({ listen: { port: 0, ...entry } as never, loops: ONE }),
    35,
  ],
  listener: [
    (spec) => serve({ listen: listener({ address: ANY, ...spec } as never), loops: ONE }),
    35,
  ],
  connect: [(options) => connect({ to, ...options } as never), 30],
  'connect of a client': [(options) => connect({ to, reconnect: true, ...options } as never), 33],
  'connect for datagrams': [(options) => connect({ to: udp, ...options } as never), 20],
  bind: [(options) => bind({ address, loops: ONE, ...options }), 20],
}

for (const [name, [take, least]] of Object.entries(OPENING)) {
  test(`every option of ${name} refuses values that it cannot use`, (t) =>
    refusesAll(t, name, take as Taker, least))
}

/** Options that are objects with options of their own. */
const NESTED: Readonly<Record<string, (options: object) => unknown>> = {
  'timeouts of serve': (timeouts) => serve({ listen: ANY, loops: ONE, timeouts }),
  'timeouts of an entry': (timeouts) => serve({ listen: { address: ANY, timeouts }, loops: ONE }),
  'timeouts of connect': (timeouts) => connect({ to, timeouts }),
  'timeouts of a datagram socket': (timeouts) => connect({ to: udp, timeouts }),
  'keepAlive of serve': (keepAlive) => serve({ listen: ANY, loops: ONE, keepAlive }),
  'keepAlive of connect': (keepAlive) => connect({ to, keepAlive }),
  proxyProtocol: (options) =>
    serve({ listen: ANY, loops: ONE, proxyProtocol: { trust: ['unix'], ...options } }),
  reconnect: (reconnect) => connect({ to, reconnect }),
  multicast: (multicast) => bind({ address, loops: ONE, multicast }),
  'a group of multicast': (options) =>
    bind({ address, loops: ONE, multicast: { groups: [{ address: '239.1.2.3', ...options }] } }),
  'an IPv6 group of multicast': (options) => {
    const groups = [{ address: 'ff02::114', ...options }]
    return bind({ address: 'udp://[::]:0', loops: ONE, multicast: { groups } })
  },
  lengthField: (options) => lengthField(options),
  raw: (options) => raw(options),
  line: (options) => line(options),
  varint: (options) => varint(options),
  delimiter: (options) => delimiter('|', options),
}

for (const [name, take] of Object.entries(NESTED)) {
  test(`every option of ${name} refuses values that it cannot use`, (t) =>
    refusesAll(t, name, take as Taker))
}

test('every member of an array of options refuses values that it cannot use', async (t) => {
  await refuses(t, 'listen', (entry) => serve({ listen: [entry], loops: ONE }))
  await refuses(t, 'groups', (group) =>
    bind({ address, loops: ONE, multicast: { groups: [group] } }),
  )
  await refuses(t, 'trust', (each) =>
    serve({ listen: ANY, loops: ONE, proxyProtocol: { trust: [each] } }),
  )
})

test('a function that is given something else than an object of options refuses it', async (t) => {
  for (const take of [serve, connect, bind, fixed, raw, line] as Taker[])
    await refuses(t, take.name, take)
  await refuses(t, 'listener', (spec) => serve({ listen: listener(spec), loops: ONE }))
  await refuses(t, 'delimiter', (bytes) => delimiter(bytes))
})

test('every option of an open server, connection and datagram socket refuses values that it cannot use', async (t) => {
  const opened = gate()
  const server = await start(t, { open: () => opened.open(), message() {} })
  const [own] = server.listeners
  const at = `tcp://127.0.0.1:${server.port}`
  const conn = await dial(t, { to: at })
  const other = await dial(t, { to: at })
  await opened.passed
  const socket = await bound(t, { address: 'udp://127.0.0.1:0', message() {} })
  const entryOf = (options: object) => ({ address: ANY, ...options })
  await refusesAll(t, 'server.listen', (options) => server.listen(entryOf(options)))
  const takers: Readonly<Record<string, Taker>> = {
    'server.close': (options) => server.close(options),
    'listener.close': (options) => own?.close(options),
    'server.broadcast': (options) => server.broadcast('x', options),
    'listener.broadcast': (options) => own?.broadcast('x' as never, options),
    setTimeouts: (options) => conn.setTimeouts(options),
    setSocketOptions: (options) => conn.setSocketOptions(options),
    'setSocketOptions of datagrams': (options) => socket.setSocketOptions(options),
    joinMulticast: (options) => socket.joinMulticast('239.1.2.3', options),
    leaveMulticast: (options) => socket.leaveMulticast('239.1.2.3', options),
    pipe: (options) => pipe(conn, other, options),
    pipeFrom: (options) => pipeFrom(conn, [], options),
    sendFile: (options) => sendFile(conn, 'README.md', options),
  }
  for (const [name, take] of Object.entries(takers)) {
    await refusesAll(t, name, take)
    await refuses(t, name, take)
  }
  const single: Readonly<Record<string, Taker>> = {
    dup: (from) => server.dup(from),
    setTTL: (ttl) => socket.setTTL(ttl),
    setBroadcast: (on) => socket.setBroadcast(on),
    setMulticastTTL: (ttl) => socket.setMulticastTTL(ttl),
    setMulticastLoopback: (on) => socket.setMulticastLoopback(on),
    setMulticastInterface: (name) => socket.setMulticastInterface(name),
    joinMulticast: (group) => socket.joinMulticast(group),
    'the first connection of pipe': (first) => pipe(first, conn),
    'the second connection of pipe': (second) => pipe(conn, second),
    'the connection of pipeFrom': (first) => pipeFrom(first, []),
    'the connection of sendFile': (first) => sendFile(first, 'README.md'),
    'the port of send': (port) => socket.send('x', { address: '127.0.0.1', port } as never),
    'the address of send': (host) => socket.send('x', { address: host, port: 1 } as never),
  }
  for (const [name, take] of Object.entries(single)) await refuses(t, name, take)
  await refuses(t, 'group', (member) => server.broadcast('x', { group: [member] }))
  // All of them go on as before.
  t.is(conn.readyState, 'open')
  t.is(server.listeners.length, 1)
})

test('reconnect has waits of at least a millisecond, growing by at most a thousand times, and a first attempt', async (t) => {
  const bounds: Readonly<Record<string, readonly number[]>> = {
    min: [0, -1, 0.5, 2 ** 31],
    max: [0, -1, 0.5, 99, 2 ** 31],
    factor: [0, -1, 0.99, 1000.1, Number.POSITIVE_INFINITY],
    jitter: [-0.1, 1.1],
    attempts: [0, -1, 1.5, 2 ** 31],
  }
  for (const [name, values] of Object.entries(bounds))
    for (const value of values) {
      // `max` has to be at least `min`, and at least 1 on its own.
      const reconnect = name === 'max' && value === 99 ? { min: 100, max: 99 } : { [name]: value }
      const message = new RegExp(`^reconnect\\.${name} has to be a (?:whole )?number from `)
      await t.throwsAsync(connect({ to, reconnect }), { code: 'ERR_INVALID_OPTION', message })
    }
})
