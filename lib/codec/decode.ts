/** Runs a codec's `decode` over received bytes, whether messages are pushed, pulled or tested. */

import { MillraceError } from '../errors.js'
import { blameUser } from '../util/blame.js'
import type { GrowingBuffer } from '../util/growing-buffer.js'
import { isThenable, refusePromise } from '../util/thenable.js'
import { type Codec, SWALLOWED } from './codec.js'
import type { ReaderImpl } from './reader-impl.js'

/** The half of a codec that reading needs. */
export type Decoder = Pick<Codec<unknown, unknown>, 'framing' | 'decode'>

/**
 * Decodes exactly one frame, from the bytes of its body.
 *
 * @returns the message; `undefined` if `decode` swallowed the frame
 * @throws `ERR_FRAME_NOT_CONSUMED`, `ERR_DECODE_ASYNC`, or whatever `decode` throws
 */
export function decodeFrame(
  codec: Decoder,
  reader: ReaderImpl,
  start: number,
  end: number,
): unknown {
  let message: unknown
  let left: number
  try {
    reader.open(start, end)
    message = codec.decode(reader)
    left = reader.end - reader.pos
  } finally {
    reader.close()
  }
  if (isThenable(message)) throw refusePromise(message, 'ERR_DECODE_ASYNC', 'decode')
  if (left !== 0) {
    throw new MillraceError('ERR_FRAME_NOT_CONSUMED', `decode left ${left} bytes of a frame unread`)
  }
  return message === SWALLOWED ? undefined : message
}

/** Takes what a raw `decode` discards. */
export interface DiscardSink {
  /** Is told how many of the bytes to come are to be dropped. All bytes that are here were read. */
  discard(count: number): void
}

/**
 * Decodes one message from the front of a raw stream. `reader.stoppedAt` then says where the message
 * ends.
 *
 * @returns the message; {@link SWALLOWED} if bytes were read without one; `undefined` if it is not complete yet
 * @throws `ERR_FRAME_INVALID`, `ERR_DECODE_ASYNC`, or whatever `decode` throws
 */
export function decodeRaw(
  codec: Decoder,
  sink: DiscardSink,
  reader: ReaderImpl,
  start: number,
  end: number,
): unknown {
  let message: unknown
  let ahead = 0
  try {
    reader.openStream(start, end)
    message = codec.decode(reader)
  } finally {
    ahead = reader.closeStream()
  }
  if (ahead > 0) sink.discard(ahead)
  if (message === undefined) return reader.hasDiscarded ? SWALLOWED : undefined
  if (isThenable(message)) throw refusePromise(message, 'ERR_DECODE_ASYNC', 'decode')
  if (reader.stoppedAt === start) {
    throw new MillraceError(
      'ERR_FRAME_INVALID',
      'decode returned a message without reading a byte: return undefined to wait for more bytes',
    )
  }
  return message
}

/** Takes the messages of a raw stream. */
export interface RawSink extends DiscardSink {
  /** The codec to use. It may change from one message to the next. */
  readonly codec: Decoder
  /**
   * Returns whether `decode` of this codec, which has asked for more bytes, has chosen another codec instead, which is to
   * look at the same bytes at once.
   */
  hasReplaced(codec: Decoder): boolean
  /**
   * Takes a message.
   *
   * @returns whether the next message may follow at once
   */
  take(message: unknown): boolean
}

/**
 * Decodes messages from a raw stream until one is incomplete or the sink wants no more.
 *
 * @returns where decoding stopped
 * @throws what {@link decodeRaw} throws
 */
export function decodeRawStream(
  sink: RawSink,
  reader: ReaderImpl,
  start: number,
  end: number,
): number {
  let at = start
  let handed = 0
  while (at < end) {
    const { codec } = sink
    const message = decodeRaw(codec, sink, reader, at, end)
    if (message === undefined) {
      if (!sink.hasReplaced(codec)) return at
      checkHanded(++handed)
      continue
    }
    handed = 0
    at = reader.stoppedAt
    if (message !== SWALLOWED && !sink.take(message)) return at
  }
  return at
}

/** How often the same bytes may go from one codec to the next. */
const MOST_HANDED = 16

/**
 * Checks how often the same bytes went from one codec to the next, because two codecs that choose each other would
 * never end.
 *
 * @throws `ERR_FRAME_INVALID`
 */
export function checkHanded(count: number): void {
  if (count <= MOST_HANDED) return
  throw blameUser(
    new MillraceError(
      'ERR_FRAME_INVALID',
      `decode has replaced the codec ${count} times in a row, and none has read a byte`,
    ),
  )
}

/**
 * Checks how many bytes of a raw stream `decode` has left unread.
 *
 * @throws `ERR_FRAME_TOO_LARGE` if they are more than the framing's `max`
 */
export function checkUnread({ framing }: Decoder, unread: GrowingBuffer): void {
  const max = framing.kind === 'raw' ? framing.max : 0
  if (unread.length > max) {
    throw new MillraceError(
      'ERR_FRAME_TOO_LARGE',
      `decode left ${unread.length} bytes unread, over max (${max})`,
    )
  }
}
