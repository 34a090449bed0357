import test from 'ava'
import { delimiter, fixed, json, lengthField, line, map, raw, serve, varint } from 'millrace'
import { LOOPS, start } from './support/serve.js'

/** Values that are not of an option's type; `'x'` and the like stand for any text. */
const NOT_NUMBERS = ['1', null, true, {}, [], 1.5, Number.NaN, Number.POSITIVE_INFINITY, -1]
const NOT_BOOLEANS = ['true', null, 1, 0, {}]
const NOT_FUNCTIONS = ['x', null, 1, {}, []]

/** Values that each option refuses. */
const REFUSED: Record<string, readonly unknown[]> = {
  listen: [undefined, null, true, []],
  loops: [0, -1, 1.5, 129, Number.NaN, '1', 'Inline', null, true, {}, []],
  balance: ['random', '', null, 1, {}],
  backlog: [...NOT_NUMBERS, 0, 2 ** 31],
  noDelay: NOT_BOOLEANS,
  highWaterMark: [...NOT_NUMBERS, 0, 2 ** 31],
  maxWriteBuffer: [...NOT_NUMBERS, 0, 2 ** 31, 1000],
  autoPause: NOT_BOOLEANS,
  maxParked: [...NOT_NUMBERS, 0, 2 ** 31],
  allowHalfOpen: NOT_BOOLEANS,
  lingerTimeout: [...NOT_NUMBERS, 0, 2 ** 31],
  maxConnections: [...NOT_NUMBERS, 0, 2 ** 31],
  onFull: ['drop', '', null, 1],
  ringBytes: [...NOT_NUMBERS, 0, 2048, 4095, 5000, 2 ** 31],
  signal: [null, {}, 'x', new AbortController()],
  codec: [null, 'line', {}, { framing: raw() }, { ...raw(), decode: 1 }, () => ({}), () => null],
  context: NOT_FUNCTIONS,
  open: NOT_FUNCTIONS,
  message: NOT_FUNCTIONS,
  drain: NOT_FUNCTIONS,
  close: NOT_FUNCTIONS,
  error: NOT_FUNCTIONS,
}

for (const [name, values] of Object.entries(REFUSED)) {
  test(`${name} refuses invalid values`, async (t) => {
    for (const value of values) {
      const options = { listen: 'tcp://127.0.0.1:0', loops: 1, [name]: value }
      const error = await t.throwsAsync(serve(options as never), undefined, `took ${String(value)}`)
      t.is((error as { code?: string }).code, 'ERR_INVALID_OPTION', String(value))
      t.regex(error?.message ?? '', new RegExp(name))
    }
  })
}

/** Values at the limits of each option. */
const TAKEN: Record<string, readonly unknown[]> = {
  listen: [['tcp://127.0.0.1:0'], ['tcp://127.0.0.1:0', 'tcp://127.0.0.1:0']],
  loops: [1, 3, 'inline', undefined],
  balance: ['round-robin', 'source-hash', 'least-connections', undefined],
  backlog: [1, 2 ** 31 - 1, undefined],
  noDelay: [true, false, undefined],
  highWaterMark: [1, 2 ** 31 - 1, undefined],
  maxWriteBuffer: [2 ** 20, 2 ** 31 - 1, undefined],
  autoPause: [true, false, undefined],
  maxParked: [1, 2 ** 31 - 1, undefined],
  allowHalfOpen: [true, false, undefined],
  lingerTimeout: [1, 2 ** 31 - 1, undefined],
  maxConnections: [1, 2 ** 31 - 1, undefined],
  onFull: ['wait', 'refuse', undefined],
  ringBytes: [4096, 2 ** 16, undefined],
  signal: [new AbortController().signal, undefined],
  codec: [line(), () => line(), json(varint()), undefined],
}

for (const [name, values] of Object.entries(TAKEN)) {
  test(`${name} accepts valid values`, async (t) => {
    for (const value of values) {
      const options = { listen: 'tcp://127.0.0.1:0', loops: LOOPS, [name]: value }
      const server = await serve(options as never)
      await server.close()
    }
    t.pass()
  })
}

test('a codec with an invalid framing is refused', async (t) => {
  for (const framing of [
    {},
    { kind: 'lines', max: 1 },
    { kind: 'line', max: 0 },
    { kind: 'line', max: '1' },
  ]) {
    const options = { listen: 'tcp://127.0.0.1:0', loops: 1, codec: { ...raw(), framing } }
    await t.throwsAsync(serve(options as never), { code: 'ERR_INVALID_OPTION' })
  }
})

test('an unknown option is refused', async (t) => {
  for (const name of ['messages', 'onMessage', 'Listen', 'host', 'toString']) {
    const options = { listen: 'tcp://127.0.0.1:0', [name]: 1 }
    await t.throwsAsync(serve(options as never), {
      code: 'ERR_INVALID_OPTION',
      message: new RegExp(name),
    })
  }
})

test('options that are not an object are refused', async (t) => {
  for (const options of [undefined, null, 1, 'tcp://127.0.0.1:0']) {
    await t.throwsAsync(serve(options as never), { code: 'ERR_INVALID_OPTION' })
  }
})

test('ringBytes is refused without a number of loops or inline', async (t) => {
  const owner = await start(t, { message() {} })
  for (const loops of [{}, { loops: owner }]) {
    const options = { listen: 'tcp://127.0.0.1:0', ringBytes: 4096, ...loops }
    await t.throwsAsync(serve(options), { code: 'ERR_INVALID_OPTION', message: /ringBytes/ })
  }
})

test('the default of maxWriteBuffer grows with highWaterMark, and a value below highWaterMark is refused', async (t) => {
  const server = await start(t, { highWaterMark: 2 ** 25, message() {} })
  await t.notThrowsAsync(server.close())
  const options = { listen: 'tcp://127.0.0.1:0', highWaterMark: 2000, maxWriteBuffer: 1999 }
  await t.throwsAsync(serve(options), { code: 'ERR_INVALID_OPTION', message: /maxWriteBuffer/ })
})

test('the error of an invalid option shows the expected and the given value', async (t) => {
  const options = { listen: 'tcp://127.0.0.1:0', balance: 'random' }
  await t.throwsAsync(serve(options as never), { message: /round-robin.*"random"/ })
})

/** Calls that the framing functions refuse. */
const FRAMINGS: Record<string, readonly (() => unknown)[]> = {
  raw: [0, -1, 1.5, '1', 2 ** 31].map((max) => () => raw({ max: max as number })),
  line: [0, -1, 1.5, null, 2 ** 31].map((max) => () => line({ max: max as number })),
  varint: [
    ...[0, -1, Number.NaN, {}].map((max) => ({ max })),
    { offset: -1 },
    { offset: 1.5 },
    { offset: 1025 },
    { offset: null },
    { strip: -1 },
    { strip: '0' },
    // There are not that many bytes to strip before the body.
    { strip: 2 },
    { offset: 3, strip: 5 },
  ].map((options) => () => varint(options as never)),
  fixed: [0, -1, 1.5, '8', undefined, 2 ** 31].map((size) => () => fixed(size as number)),
  delimiter: ['', 'x'.repeat(17), new Uint8Array(), new Uint8Array(17), 10, null, undefined].map(
    (bytes) => () => delimiter(bytes as string),
  ),
  lengthField: [
    { bytes: 0 },
    { bytes: 5 },
    { bytes: '4' },
    { offset: -1 },
    { offset: null },
    { strip: null },
    { max: null },
    { bytes: null },
    { adjust: null },
    { offset: 1.5 },
    { strip: -1 },
    { adjust: 0.5 },
    { adjust: '1' },
    { endian: 'middle' },
    { max: 0 },
    // There are not that many bytes to strip before the body.
    { bytes: 2, strip: 2 ** 31 },
  ].map((options) => () => lengthField(options as never)),
  json: [() => json(raw()), () => json(map(raw(), String, String))],
}

for (const [name, makers] of Object.entries(FRAMINGS)) {
  test(`${name} refuses options out of range`, (t) => {
    for (const make of makers) t.throws(make, { code: 'ERR_INVALID_OPTION' }, make.toString())
  })
}

test('framings have the documented defaults', (t) => {
  const MiB = 1 << 20
  t.deepEqual(raw().framing, { kind: 'raw', max: MiB })
  t.deepEqual(line().framing, { kind: 'line', max: MiB })
  t.deepEqual(varint().framing, { kind: 'varint', max: MiB })
  t.deepEqual(varint({ offset: 1 }).framing, { kind: 'varint', offset: 1, max: MiB })
  t.deepEqual(varint({ strip: 0 }).framing, { kind: 'varint', strip: 0, max: MiB })
  t.deepEqual(fixed(8).framing, { kind: 'fixed', size: 8 })
  t.deepEqual(delimiter('\r\n').framing, {
    kind: 'delimiter',
    bytes: Uint8Array.of(13, 10),
    max: MiB,
  })
  t.deepEqual(lengthField().framing, {
    kind: 'lengthField',
    bytes: 4,
    offset: 0,
    adjust: 0,
    strip: 4,
    endian: 'big',
    max: MiB,
  })
  t.true(Object.isFrozen(line().framing))
})

test('an invalid value that cannot become a string is refused like any other', async (t) => {
  const listen = 'tcp://127.0.0.1:0'
  const code = 'ERR_INVALID_OPTION'
  for (const bad of [Object.create(null), { toString: 7, valueOf: 7 }])
    for (const name of ['codec', 'message', 'backlog', 'autoPause', 'loops'])
      await t.throwsAsync(serve({ listen, [name]: bad } as never), { code })
})

test('an unknown option that is nearly a known one is told which', async (t) => {
  const near = {
    noDealy: 'noDelay',
    nodelay: 'noDelay',
    noDela: 'noDelay',
    balancee: 'balance',
    bocklog: 'backlog',
  }
  for (const [name, known] of Object.entries(near)) {
    const message = new RegExp(
      `^there is no option ${name} \\(did you mean ${known}\\?\\): the options are `,
    )
    await t.throwsAsync(serve({ listen: 0, [name]: 1 } as never), { message })
  }
  for (const name of ['', 'noDealyed', 'nDlay', 'other'])
    await t.throwsAsync(serve({ listen: 0, [name]: 1 } as never), {
      message: new RegExp(`^there is no option ${name}: `),
    })
})

test('options that are not an object are shown one', async (t) => {
  const server = await start(t, {})
  await t.throwsAsync(server.close(5000 as never), {
    code: 'ERR_INVALID_OPTION',
    message: 'options has to be an object such as { timeout }, not 5000',
  })
})

test('a framing refuses unknown options, so that a misspelt max is noticed', (t) => {
  const code = 'ERR_INVALID_OPTION'
  for (const framing of [raw, line, varint, lengthField, (of: never) => delimiter('|', of)]) {
    for (const bad of [{ maximum: 5 }, 4096, 'max', null])
      t.throws(() => framing(bad as never), { code })
  }
  for (const bytes of [Object.create(null), Symbol('4'), 4n])
    t.throws(() => lengthField({ bytes: bytes as never }), { code })
})

test('a codec without a framing is refused', async (t) => {
  const codec = { framing: null, decode() {}, encode() {} }
  const options = { listen: 'tcp://127.0.0.1:0', codec } as never
  await t.throwsAsync(serve(options), { code: 'ERR_INVALID_OPTION' })
})
