/** A listener of a stream that throws. In a file of its own, because it is about the whole process. */

import test from 'ava'
import { readHalf } from './support/client.js'
import { streamed } from './support/streams.js'

test('an exception of a listener is uncaught as in Node, and other connections go on', async (t) => {
  // AVA would end the process.
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const thrown = new Promise<Error>((resolve) => process.once('uncaughtException', resolve))
  const first = await streamed(t)
  const second = await streamed(t)
  first.stream.on('data', () => {
    throw new Error('of a listener')
  })
  second.stream.pipe(second.stream)
  first.socket.write('x')
  second.socket.end('still here')
  t.is((await readHalf(second.socket)).toString(), 'still here')
  t.is((await thrown).message, 'of a listener')
  for (const each of others) process.on('uncaughtException', each)
  first.socket.destroy()
})
