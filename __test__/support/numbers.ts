/** A raw codec that is easily understood, and cut in the wrong place. */

import { type Codec, defineCodec, raw } from 'millrace'

/** Numbers as text, each behind a semicolon: raw, so that `undefined` means more. */
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
