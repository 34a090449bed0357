/** The codec of the Redis example. */

import test from 'ava'
import { encodeWith, testCodec } from 'millrace'
import { ProtocolError } from '../examples/redis/protocol-error.ts'
import { OK, type Reply, ReplyError } from '../examples/redis/reply.ts'
import { MAX_ARGUMENT, MAX_TEXT, resp } from '../examples/redis/resp.ts'
import { random } from './support/random.js'
import { redis, replyTo } from './support/redis.js'

/** A request in RESP. */
function array(...words: (string | Buffer)[]): Buffer {
  const parts = words.map((word) => {
    const bytes = Buffer.from(word as string, 'latin1')
    return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')])
  })
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts])
}

/** The messages of a stream, and the error that ended it. */
function decoded(stream: Buffer, splits: readonly number[] | 'each' = []): unknown[] {
  const { messages, error } = testCodec(resp(), stream, { splits })
  return error === undefined ? messages : [...messages, error.message]
}

/** Every byte once. */
const EVERY_BYTE = String.fromCharCode(...Array(256).keys())

const REQUESTS = [
  array('PING'),
  Buffer.from('SET "a key" \'it\\\'s\' "\\x00\\xff"\r\n'),
  array('SET', EVERY_BYTE, ''),
  Buffer.from('\r\n*0\r\n*-1\r\n  \n'),
  array('MSET', ...Array.from({ length: 40 }, (_, at) => `word ${at}\r\n$3\r\n`)),
  Buffer.from('PING\n'),
]
const STREAM = Buffer.concat(REQUESTS)
const MESSAGES = [
  ['PING'],
  ['SET', 'a key', "it's", '\x00\xff'],
  ['SET', EVERY_BYTE, ''],
  [],
  [],
  [],
  [],
  ['MSET', ...Array.from({ length: 40 }, (_, at) => `word ${at}\r\n$3\r\n`)],
  ['PING'],
]

test('requests are the same wherever the stream is cut', (t) => {
  t.deepEqual(decoded(STREAM), MESSAGES)
  t.deepEqual(decoded(STREAM, 'each'), MESSAGES)
  for (let at = 1; at < STREAM.length; at++) t.deepEqual(decoded(STREAM, [at]), MESSAGES)
})

test('requests are the same with random cuts', (t) => {
  const dice = random(1)
  for (let round = 0; round < 200; round++) {
    const cuts = Array.from({ length: dice.whole(1, 30) }, () => dice.whole(1, STREAM.length - 1))
    t.deepEqual(decoded(STREAM, cuts), MESSAGES)
  }
})

test('a long argument is a Buffer, a short one text', (t) => {
  const long = Buffer.alloc(MAX_TEXT + 1, EVERY_BYTE, 'latin1')
  const short = long.toString('latin1', 0, MAX_TEXT)
  t.deepEqual(decoded(array('ECHO', long, short), [9, 700, 20_000]), [['ECHO', long, short]])
})

test('an incomplete request is not read again from its start', (t) => {
  const words = Array.from({ length: 2000 }, (_, at) => `word ${at}`)
  const stream = array(...words)
  const codec = resp()
  // The number of bytes read shows whether `decode` started again.
  let passed = 0
  const counting = {
    framing: codec.framing,
    encode: codec.encode,
    decode: (from: Parameters<typeof codec.decode>[0]) => {
      const counted = new Proxy(from, {
        get(target, name) {
          const value = Reflect.get(target, name, target)
          if (name === 'u8') passed++
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
      return codec.decode(counted)
    },
  }
  const splits = Array.from({ length: stream.length / 10 }, (_, at) => at * 10)
  t.deepEqual(testCodec(counting, stream, { splits }).messages, [words])
  t.true(passed < 2 * stream.length, `${passed} bytes for ${stream.length}`)
})

/** Streams that are not RESP, and what Redis 7.0.15 answers before it closes the connection. */
const BROKEN: [stream: string, replies: string][] = [
  ['*abc\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
  ['*1x\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
  ['*\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
  ['*9999999999\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
  ['*2147483648\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
  ['*-\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
  ['*01\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
  ['* 1\r\n', '-ERR Protocol error: invalid multibulk length\r\n'],
  ['*1\r\nx\r\n', "-ERR Protocol error: expected '$', got 'x'\r\n"],
  ['*1\r\n\r\n', "-ERR Protocol error: expected '$', got ' '\r\n"],
  ['*1\r\n:1\r\n', "-ERR Protocol error: expected '$', got ':'\r\n"],
  ['*1\r\n$x\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
  ['*1\r\n$-1\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
  ['*1\r\n$\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
  ['*1\r\n$536870913\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
  ['*2\r\n$4\r\nECHO\r\n$99999999999\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
  ['*1\r\n$04\r\nPING\r\n', '-ERR Protocol error: invalid bulk length\r\n'],
  ['GET "a\r\n', '-ERR Protocol error: unbalanced quotes in request\r\n'],
  ["GET 'a\r\n", '-ERR Protocol error: unbalanced quotes in request\r\n'],
  ['GET "a"b\r\n', '-ERR Protocol error: unbalanced quotes in request\r\n'],
  ["GET 'a'b\r\n", '-ERR Protocol error: unbalanced quotes in request\r\n'],
  ['GET a"b"c\r\n', '-ERR Protocol error: unbalanced quotes in request\r\n'],
  ['*0\r\nPING\r\n*abc\r\n', '+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n'],
  ['*-1\r\nPING\r\n*x\r\n', '+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n'],
  ['\r\n\n  \r\nPING\n*x\r\n', '+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n'],
  ['ECHO a"b c"\r\n*x\r\n', '$4\r\nab c\r\n-ERR Protocol error: invalid multibulk length\r\n'],
  [
    'ECHO "\\x41\\x4g\\q\\a\\b\\t\\""\r\n*x\r\n',
    '$9\r\nAx4gq\x07\x08\t"\r\n-ERR Protocol error: invalid multibulk length\r\n',
  ],
  [
    "ECHO 'a\\nb\\'c'\r\n*x\r\n",
    "$6\r\na\\nb'c\r\n-ERR Protocol error: invalid multibulk length\r\n",
  ],
  ['PING\r\nQUIT\r\nPING\r\n', '+PONG\r\n+OK\r\n'],
  ['*1\r\n$4\r\nPINGxx*x\r\n', '+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n'],
  ['ECHO "abc\\"\r\n', '-ERR Protocol error: unbalanced quotes in request\r\n'],
  ["ECHO 'abc\\'\r\n", '-ERR Protocol error: unbalanced quotes in request\r\n'],
  ['ECHO \x0b\x0ca\r\n*x\r\n', '$1\r\na\r\n-ERR Protocol error: invalid multibulk length\r\n'],
  ['*1\r\n\xff\r\n', "-ERR Protocol error: expected '$', got '\xff'\r\n"],
]

test('a stream that is not RESP is answered with an error, and the connection closed', async (t) => {
  const port = await redis(t)
  for (const [stream, replies] of BROKEN) t.is(await replyTo(port, stream), replies, stream)
})

test('a line may have 64 KiB before its end', async (t) => {
  const port = await redis(t)
  const problem = '-ERR Protocol error: too big inline request\r\n'
  t.is(await replyTo(port, 'x'.repeat(64 * 1024 + 1)), problem)
  t.deepEqual(decoded(Buffer.from('x'.repeat(64 * 1024))), [
    'the stream ended in the middle of a message',
  ])
})

test('lengths have limits', (t) => {
  const problem = (stream: string) =>
    (testCodec(resp(), stream).messages[0] as ProtocolError).message
  t.is(problem('*1048577\r\n'), 'ERR Protocol error: invalid multibulk length')
  t.is(problem(`*1\r\n$${MAX_ARGUMENT + 1}\r\n`), 'ERR Protocol error: invalid bulk length')
  const cut = ['the stream ended in the middle of a message']
  t.deepEqual(decoded(Buffer.from('*1048576\r\n')), cut)
  t.deepEqual(decoded(Buffer.from(`*1\r\n$${MAX_ARGUMENT}\r\n`)), cut)
})

test('a broken stream gives its error once, however it is cut', (t) => {
  const stream = Buffer.concat([array('PING'), Buffer.from('*1\r\n!')])
  for (const splits of [[], 'each'] as const) {
    const { messages, error } = testCodec(resp(), stream, { splits })
    t.is(error, undefined)
    t.deepEqual(messages[0], ['PING'])
    t.true(messages[1] instanceof ProtocolError)
    t.is(messages.length, 2)
  }
})

const REPLIES: [Reply, string][] = [
  [OK, '+OK\r\n'],
  [new ReplyError('ERR no\r\nsuch thing\r\n'), '-ERR no  such thing\r\n'],
  [null, '$-1\r\n'],
  ['', '$0\r\n\r\n'],
  [EVERY_BYTE, `$256\r\n${EVERY_BYTE}\r\n`],
  [Buffer.from('\x00\xff', 'latin1'), '$2\r\n\x00\xff\r\n'],
  [0, ':0\r\n'],
  [-17, ':-17\r\n'],
  [9223372036854775807n, ':9223372036854775807\r\n'],
  [[], '*0\r\n'],
  [
    ['a', [1, [null, OK]], Buffer.alloc(0)],
    '*3\r\n$1\r\na\r\n*2\r\n:1\r\n*2\r\n$-1\r\n+OK\r\n$0\r\n\r\n',
  ],
]

test('replies of all kinds are encoded in RESP', (t) => {
  for (const [reply, expected] of REPLIES) {
    t.is(encodeWith(resp(), reply).toString('latin1'), expected)
  }
})
