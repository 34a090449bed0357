/** A codec that replaces another one: it is offered the bytes that are held already. */

import test, { type ExecutionContext } from 'ava'
import { type Codec, type Conn, defineCodec, raw } from 'millrace'
import { connectTo, sendPieces } from './support/client.js'
import { codeOf, gate } from './support/gate.js'
import { KINDS, type Kind, listenOn } from './support/kinds.js'
import { start } from './support/serve.js'

type Text = Codec<string, string>

/** Waits for ever: whatever comes is held. */
const never: Text = {
  framing: raw(),
  decode: () => undefined,
  encode: (text, to) => void to.text(text),
}

/** Texts that end with a semicolon. */
const words: Text = defineCodec({
  framing: raw(),
  decode(from) {
    const end = from.indexOf(0x3b)
    if (end === -1) return undefined
    const text = from.text(end)
    from.skip(1)
    return text
  },
  encode: (text: string, to) => void to.text(`${text};`),
})

/** Texts of three bytes. */
const threes: Text = {
  framing: raw(),
  decode: (from) => (from.remaining < 3 ? undefined : `<${from.text(3)}>`),
  encode: (text, to) => void to.text(text),
}

/**
 * Serves connections of one codec whose messages are collected, pushed or pulled, and sends one of them `text`.
 * Resolves with the messages and the error's code once the connection is closed.
 */
async function run(
  t: ExecutionContext,
  {
    codec,
    text,
    kind,
    isPulled,
    byBytes,
    opened = () => {},
    took = () => {},
    ends,
  }: {
    codec: Text
    text: string
    kind: Kind
    isPulled: boolean
    byBytes: boolean
    opened?(conn: Conn<string, string>): void
    took?(conn: Conn<string, string>, message: string): void | Promise<void>
    /** When the client ends. Default at once. */
    ends?: Promise<void>
  },
): Promise<{ messages: string[]; code: string | undefined }> {
  const messages: string[] = []
  const ended = gate<string | undefined>()
  const server = await start<string, string>(t, {
    listen: listenOn(t, kind),
    codec,
    open(conn) {
      opened(conn)
      if (isPulled) void pull(conn).catch(() => {})
    },
    ...(isPulled
      ? {}
      : {
          message(conn: Conn<string, string>, message: string) {
            messages.push(message)
            return took(conn, message)
          },
        }),
    close: (_conn, error) => ended.open(codeOf(error)),
  })
  async function pull(conn: Conn<string, string>) {
    for await (const message of conn) {
      messages.push(message)
      await took(conn, message)
    }
  }
  const socket = await connectTo(server.addresses[0])
  await sendPieces(socket, text, byBytes ? 1 : text.length)
  await ends
  socket.end()
  const code = await ended.passed
  socket.destroy()
  return { messages, code }
}

for (const kind of KINDS) {
  for (const isPulled of [false, true]) {
    for (const byBytes of [false, true]) {
      const how = `${kind}, ${isPulled ? 'pulled' : 'pushed'}, ${byBytes ? 'byte by byte' : 'at once'}`

      test(`a codec chosen by the first byte gets that byte too: ${how}`, async (t) => {
        for (const [text, expected] of [
          ['<one;two;', ['<one', 'two']],
          ['onetwo', ['<one>', '<two>']],
        ] as const) {
          const { messages, code } = await run(t, {
            codec: never,
            text,
            kind,
            isPulled,
            byBytes,
            opened(conn) {
              conn.codec = {
                ...never,
                decode(from) {
                  conn.codec = from.peek() === 0x3c ? words : threes
                  return undefined
                },
              }
            },
          })
          t.deepEqual(messages, expected)
          t.is(code, undefined)
        }
      })

      test(`a codec that a handler assigns gets the bytes behind its message: ${how}`, async (t) => {
        const { messages, code } = await run(t, {
          codec: words,
          text: 'a;threes;abcdefb;c',
          kind,
          isPulled,
          byBytes,
          took(conn, message) {
            if (message === 'threes') conn.codec = threes
            if (message === '<def>') conn.codec = words
            if (message === 'b') conn.codec = { ...threes, decode: (from) => from.text(1) }
          },
        })
        t.deepEqual(messages, ['a', 'threes', '<abc>', '<def>', 'b', 'c'])
        t.is(code, undefined)
      })
    }

    const how = `${kind}, ${isPulled ? 'pulled' : 'pushed'}`

    test(`a codec that is assigned later gets what the last one has left, without more input: ${how}`, async (t) => {
      const conns: Conn<string, string>[] = []
      const seen = gate()
      const both = gate()
      const promise = run(t, {
        codec: never,
        text: 'one;two;',
        kind,
        isPulled,
        byBytes: false,
        // The client says no more before both have come.
        ends: both.passed,
        took: (_conn, message) => (message === 'two' ? both.open() : undefined),
        opened(conn) {
          conns.push(conn)
          conn.codec = {
            ...never,
            decode(from) {
              if (from.remaining === 8) seen.open()
              return undefined
            },
          }
        },
      })
      await seen.passed
      for (const conn of conns) conn.codec = words
      const { messages, code } = await promise
      t.deepEqual(messages, ['one', 'two'])
      t.is(code, undefined)
    })
  }

  test(`a codec that an unsettled handler assigns at the end of the input gets what is left: ${kind}`, async (t) => {
    const ended = gate()
    const { messages, code } = await run(t, {
      codec: words,
      text: 'wait;onetwo',
      kind,
      isPulled: false,
      byBytes: false,
      opened(conn) {
        // Seen from outside: nothing more comes, and the old codec has refused the rest.
        const look = () => (conn.readyState === 'open' ? setImmediate(look) : ended.open())
        look()
      },
      async took(conn, message) {
        if (message !== 'wait') return
        await ended.passed
        conn.codec = threes
      },
    })
    t.deepEqual(messages, ['wait', '<one>', '<two>'])
    t.is(code, undefined)
  })

  test(`a codec that is assigned while the connection is paused gets what is held when it goes on: ${kind}`, async (t) => {
    const { messages, code } = await run(t, {
      codec: words,
      text: 'wait;onetwo',
      kind,
      isPulled: false,
      byBytes: false,
      took(conn, message) {
        if (message !== 'wait') return
        conn.pause()
        setImmediate(() => {
          conn.codec = threes
          setImmediate(() => conn.resume())
        })
      },
    })
    t.deepEqual(messages, ['wait', '<one>', '<two>'])
    t.is(code, undefined)
  })

  test(`the bytes that no codec takes end in an error once: ${kind}`, async (t) => {
    const { messages, code } = await run(t, {
      codec: words,
      text: 'a;bcde',
      kind,
      isPulled: false,
      byBytes: false,
      took(conn, message) {
        if (message === 'a') conn.codec = threes
      },
    })
    t.deepEqual(messages, ['a', '<bcd>'])
    t.is(code, 'ERR_FRAME_INCOMPLETE')
  })

  test(`no message is delivered inside another handler: ${kind}`, async (t) => {
    let depth = 0
    const { messages } = await run(t, {
      codec: words,
      text: 'a;bcd;efg',
      kind,
      isPulled: false,
      byBytes: true,
      took(conn, message) {
        t.is(depth, 0)
        depth++
        if (message === 'a') conn.codec = { ...words }
        if (message === 'bcd') conn.codec = threes
        depth--
      },
    })
    t.deepEqual(messages, ['a', 'bcd', '<efg>'])
  })

  test(`codecs that hand the bytes to each other without reading any end the connection: ${kind}`, async (t) => {
    const { messages, code } = await run(t, {
      codec: never,
      text: 'x',
      kind,
      isPulled: false,
      byBytes: false,
      opened(conn) {
        const pass = (next: () => Text): Text => ({
          ...never,
          decode() {
            conn.codec = next()
            return undefined
          },
        })
        const one: Text = pass(() => other)
        const other: Text = pass(() => one)
        conn.codec = one
      },
    })
    t.deepEqual(messages, [])
    t.is(code, 'ERR_FRAME_INVALID')
  })
}
