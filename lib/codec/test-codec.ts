/** Runs a codec without a socket, for tests of codecs. */

import { type CodedError, invalidOption, MillraceError, toError } from '../errors.js'
import { cutStream } from '../native/binding.js'
import { checkNames } from '../util/checks.js'
import { GrowingBuffer } from '../util/growing-buffer.js'
import { type Codec, checkCodec } from './codec.js'
import { checkUnread, decodeFrame, decodeRawStream } from './decode.js'
import { toNative, validateFraming } from './native-framing.js'
import { readerOver } from './reader-impl.js'

/**
 * What a codec made of a stream.
 *
 * @typeParam In the messages
 * @example
 * ```ts
 * const { messages, error }: TestCodecResult<Buffer> = testCodec(fixed(2), 'abcde')
 * assert.deepEqual(messages.map(String), ['ab', 'cd'])
 * assert(error instanceof MillraceError)
 * assert.equal(error.code, 'ERR_FRAME_INCOMPLETE')
 * ```
 */
export interface TestCodecResult<In> {
  /** The messages, in order. */
  readonly messages: In[]
  /** The error that `close` would get. Undefined if the stream ended in good order. */
  readonly error: CodedError | undefined
}

/**
 * How {@link testCodec} cuts the stream.
 *
 * @example
 * ```ts
 * const options: TestCodecOptions = { splits: [1, 4] } // three reads: h, ell, o and the line feed
 * assert.deepEqual(testCodec(line(), 'hello\n', options).messages.map(String), ['hello'])
 * ```
 */
export interface TestCodecOptions {
  /**
   * The offsets at which the stream is cut into separate reads, in any order; `'each'` cuts after every
   * byte. Default none: the stream arrives in one piece.
   */
  splits?: readonly number[] | 'each' | undefined
}

const TEST_NAMES: ReadonlySet<string> = new Set(['splits'])

/**
 * Feeds bytes to a codec as a connection would, framing included, and then ends the stream.
 *
 * A codec is right only if its messages do not depend on how the stream is cut.
 *
 * @param codec the codec to test
 * @param bytes what a peer sends
 * @param options how the stream is cut
 * @returns the messages, and the error that the connection would end with
 * @throws `ERR_INVALID_OPTION`
 * @example
 * ```ts
 * const { messages, error } = testCodec(json(line()), '{"id":1}\n', { splits: 'each' })
 * assert.deepEqual(messages, [{ id: 1 }])
 * assert.equal(error, undefined)
 * ```
 */
export function testCodec<In, Out>(
  codec: Codec<In, Out>,
  bytes: Uint8Array | string,
  options: TestCodecOptions = {},
): TestCodecResult<In> {
  const checked = checkCodec(codec)
  validateFraming(checked.framing)
  checkNames(options, TEST_NAMES, ' of testCodec')
  const chunks = cut(bytes, options.splits ?? [])
  const messages: unknown[] = []
  const result = (error: Error | undefined) => ({ messages: messages as In[], error })
  try {
    const feed = checked.framing.kind === 'raw' ? feedRaw : feedFrames
    return result(feed(checked, chunks, messages))
  } catch (thrown) {
    return result(toError(thrown))
  }
}

/** Cuts a stream into chunks, one for each read. */
function cut(bytes: Uint8Array | string, splits: readonly number[] | 'each'): Buffer[] {
  if (typeof bytes !== 'string' && !(bytes instanceof Uint8Array)) {
    throw invalidOption('bytes', 'a string or a Uint8Array', bytes)
  }
  if (splits !== 'each' && !Array.isArray(splits)) {
    throw invalidOption('splits', "an array of offsets or 'each'", splits)
  }
  const stream = typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes)
  const cuts = splits === 'each' ? Array.from(stream.keys()) : [...splits].sort((a, b) => a - b)
  const edges = [0, ...cuts.filter((offset) => offset > 0 && offset < stream.length), stream.length]
  return edges.slice(1).map((edge, index) => stream.subarray(edges[index], edge))
}

/** A codec, whatever its messages are. */
type AnyCodec = Codec<unknown, unknown>

/** Feeds a codec whose framing makes frames. Adds to `messages`, and returns the error of the stream. */
function feedFrames(codec: AnyCodec, chunks: Buffer[], messages: unknown[]): Error | undefined {
  const { framing } = codec
  const { frames, error } = cutStream(toNative(framing), chunks)
  for (const frame of frames) {
    const message = decodeFrame(codec, readerOver(frame, true), 0, frame.length)
    if (message !== undefined) messages.push(message)
  }
  if (error == null) return undefined
  if (error === 'ERR_FRAME_INCOMPLETE') return incomplete()
  const max = 'max' in framing ? ` (max is ${framing.max})` : ''
  return new MillraceError(error, `the framing refused the stream${max}`)
}

/** Feeds a codec with `raw` framing, as `feedFrames` does. */
function feedRaw(codec: AnyCodec, chunks: Buffer[], messages: unknown[]): Error | undefined {
  const unread = new GrowingBuffer()
  let ahead = 0
  const sink = {
    codec,
    discard: (count: number) => {
      ahead += count
    },
    hasReplaced: () => false,
    take: (message: unknown) => messages.push(message) > 0,
  }
  for (const chunk of chunks) {
    const dropped = Math.min(ahead, chunk.length)
    ahead -= dropped
    unread.append(chunk, dropped, chunk.length)
    const reader = readerOver(unread.memory, false)
    unread.consume(decodeRawStream(sink, reader, unread.start, unread.end))
    checkUnread(codec, unread)
  }
  return unread.length > 0 || ahead > 0 ? incomplete() : undefined
}

function incomplete(): MillraceError {
  return new MillraceError('ERR_FRAME_INCOMPLETE', 'the stream ended in the middle of a message')
}
