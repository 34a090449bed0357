/** A raw codec that is easy to understand, and easy to cut in the wrong place. */

import { type Codec, defineCodec, raw } from 'millrace'

/** Numbers as text, each followed by a semicolon. The framing is raw, so `undefined` asks for more bytes. */
export const numbers: Codec<number> = defineCodec<number>({
  framing: raw({ max: 20 }),
  decode(from) {
    const length = from.indexOf(0x3b)
    if (length === -1) return undefined
    const value = Number(from.text(length))
    from.skip(1)
    return value
  },
  encode(value, to) {
    to.text(`${value};`)
  },
})
