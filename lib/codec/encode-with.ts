/** Encodes a message without a socket, for tests of codecs. */

import { type Codec, checkCodec } from './codec.js'
import { encodeFrame } from './encode.js'
import { validateFraming } from './native-framing.js'

/**
 * Encodes a message as a connection would, with its framing, but without a socket. For tests of codecs.
 *
 * @param codec the codec to test
 * @param message the message to encode
 * @returns the bytes that a peer would receive
 * @throws `ERR_INVALID_OPTION` if `codec` is not a codec; `ERR_FRAME_TOO_LARGE` (the message names size
 *   and limit), `ERR_FRAME_INVALID` or `ERR_ENCODE_ASYNC`; whatever `encode` throws
 * @example
 * ```ts
 * const codec = json<{ id: number }>(lengthField())
 * const bytes = encodeWith(codec, { id: 1 })
 * assert.deepEqual(testCodec(codec, bytes).messages, [{ id: 1 }])
 * ```
 */
export function encodeWith<In, Out>(codec: Codec<In, Out>, message: NoInfer<Out>): Buffer {
  const checked = checkCodec(codec)
  validateFraming(checked.framing)
  // Copied out of the writer's scratch buffer, which is much larger than most messages.
  return Buffer.from(encodeFrame(checked, message))
}
