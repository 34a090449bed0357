/** A `decode` that fails for a pull ends what is pulled, whether the connection is open or was lost before. */

import test from 'ava'
import { type Conn, lengthField, line, MillraceError, raw } from 'millrace'
import { connectTo, lose } from './support/client.js'
import type { Bytes } from './support/framings.js'
import { codeOf, gate } from './support/gate.js'
import { KINDS, listenOn } from './support/kinds.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

/** Codecs, and messages of four bytes as they are on the wire. */
const CODECS: readonly [name: string, codec: Bytes, wire: (message: string) => string][] = [
  ['frames with a length', lengthField(), (message) => `\0\0\0\u0004${message}`],
  ['lines', line(), (message) => `${message}\n`],
  ['a raw stream', raw(), (message) => message],
]

const FAULTS = {
  'a mistake': () => Object.assign(new Error('mine'), { code: 'MINE' }),
  'a malformed frame': () => new MillraceError('ERR_FRAME_INVALID', 'malformed'),
}

for (const kind of KINDS) {
  for (const [name, codec, wire] of CODECS) {
    for (const [what, fault] of Object.entries(FAULTS)) {
      for (const isLost of [false, true]) {
        for (const isHandler of [false, true]) {
          const whose = `${isLost ? 'a lost' : 'an open'} connection${isHandler ? ', in a handler' : ''}`
          test(`nothing follows ${what} in ${name} of ${whose}, ${kind}`, async (t) => {
            const error = fault()
            const told: unknown[] = []
            const decoded: string[] = []
            const opened = gate<Conn>()
            const begin = gate()
            const pulled = gate<unknown[]>()
            const pull = async (conn: Conn) => {
              await begin.passed
              const messages = conn[Symbol.asyncIterator]()
              const seen: unknown[] = []
              const add = async () => {
                const { done, value } = await messages.next()
                seen.push(done ? 'done' : String(value))
              }
              await add()
              for (let count = 0; count < 3; count++) await add().catch((each) => seen.push(each))
              pulled.open(seen)
              await messages.next()
            }
            const server = await start(t, {
              listen: listenOn(t, kind),
              codec: {
                ...codec,
                decode(from) {
                  if (from.remaining < 4) return undefined
                  const bytes = from.bytes(4)
                  decoded.push(String(bytes))
                  if (String(bytes) === 'bad!') throw error
                  return bytes
                },
              },
              open(conn) {
                // More than the peer reads, so that its end is a loss.
                conn.write('x'.repeat(1 << 19))
                opened.open(conn)
                const pulling = pull(conn)
                if (isHandler) return pulling
                pulling.catch(() => {})
                return undefined
              },
              error: (each) => void told.push(each),
            })
            const socket = await connectTo(server.addresses[0])
            socket.pause()
            const sent = ['one!', 'bad!', 'two!', 'thr!'].map(wire).join('')
            socket.write(sent)
            const conn = await opened.passed
            while (conn.bytesRead < sent.length) await turns(1)
            if (isLost) {
              lose(socket)
              while (server.connections > 0) await turns(1)
            }
            begin.open()
            t.deepEqual(await pulled.passed, ['one!', error, error, error])
            t.deepEqual(decoded, ['one!', 'bad!'])
            socket.destroy()
            while (server.connections > 0) await turns(1)
            await turns(2)
            t.deepEqual(told, codeOf(error) === 'MINE' ? [error] : [])
          })
        }
      }
    }
  }
}
