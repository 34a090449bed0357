/** Drives a codec without a socket, for tests of codecs. */

import { emptyMessage, isAsync, notConsumed } from '../connection/reading.js'
import { isThenable } from '../connection/writing.js'
import { MillraceError } from '../errors.js'
import { cutStream } from '../native/binding.js'
import { type Codec, SWALLOWED } from './codec.js'
import { toNative } from './framing.js'
import { readerOver } from './reader.js'

/** What a codec makes of a stream. */
export interface Tested<In> {
  /** The messages, in order. */
  readonly messages: In[]
  /** What ended it, as `close` would get it. */
  readonly error: Error | undefined
}

/**
 * Feeds bytes to a codec as a connection would, framing and all, and ends the stream.
 *
 * @param options.splits offsets at which the stream is cut into separate reads, in any order. A codec
 *   is right only if the messages do not depend on them; `splits: 'each'` cuts behind every byte.
 */
export function testCodec<In, Out>(
  codec: Codec<In, Out>,
  bytes: Uint8Array | string,
  options: { splits?: readonly number[] | 'each' } = {},
): Tested<In> {
  const stream = typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes)
  const { splits = [] } = options
  const cuts = splits === 'each' ? Array.from(stream.keys()) : [...splits].sort((a, b) => a - b)
  const edges = [0, ...cuts.filter((cut) => cut > 0 && cut < stream.length), stream.length]
  const chunks = edges.slice(1).map((edge, at) => stream.subarray(edges[at], edge))
  const messages: In[] = []
  try {
    const error =
      codec.framing.kind === 'raw'
        ? testRaw(codec, chunks, messages)
        : testFramed(codec, chunks, messages)
    return { messages, error }
  } catch (thrown) {
    return { messages, error: thrown as Error }
  }
}

function incomplete(): MillraceError {
  return new MillraceError('ERR_FRAME_INCOMPLETE', 'the stream ended in the middle of a message')
}

function testFramed<In, Out>(
  codec: Codec<In, Out>,
  chunks: Buffer[],
  messages: In[],
): Error | undefined {
  const { frames, error } = cutStream(toNative(codec.framing), chunks)
  for (const frame of frames) {
    const reader = readerOver(frame, true)
    reader.open(0, frame.length)
    const message = codec.decode(reader)
    const left = reader.remaining
    reader.close()
    if (isThenable(message)) throw isAsync(message)
    if (left > 0) throw notConsumed(left)
    if (message !== undefined) messages.push(message)
  }
  if (error === 'ERR_FRAME_INCOMPLETE') return incomplete()
  return error == null ? undefined : new MillraceError(error, 'the framing refused the stream')
}

function testRaw<In, Out>(
  codec: Codec<In, Out>,
  chunks: Buffer[],
  messages: In[],
): Error | undefined {
  const max = codec.framing.kind === 'raw' ? codec.framing.max : 0
  let rest = Buffer.alloc(0)
  for (const chunk of chunks) {
    rest = Buffer.concat([rest, chunk])
    while (rest.length > 0) {
      const reader = readerOver(rest, true)
      reader.open(0, rest.length)
      const message = codec.decode(reader)
      const used = reader.pos
      reader.close()
      if (message === undefined) break
      if (isThenable(message)) throw isAsync(message)
      if (used === 0) throw emptyMessage()
      rest = rest.subarray(used)
      if ((message as unknown) !== SWALLOWED) messages.push(message)
    }
    if (rest.length > max) {
      throw new MillraceError(
        'ERR_FRAME_TOO_LARGE',
        `decode left ${rest.length} bytes unread, over max (${max})`,
      )
    }
  }
  return rest.length > 0 ? incomplete() : undefined
}
