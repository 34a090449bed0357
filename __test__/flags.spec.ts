/** The state of a connection is one number, of which each flag is a bit. */

import test from 'ava'
import * as flags from '../lib/connection/flags.js'

test('every flag of a connection is a bit of its own', (t) => {
  const { OUTPUT_OVER, ENDING, PULLS_OVER, ...single } = flags
  const bits = Object.values(single)
  t.is(new Set(bits).size, bits.length)
  for (const bit of bits) t.is(bit & (bit - 1), 0)
  t.true(bits.length > 20)
})
