/** Writes framings into records, for loops to read. */

import {
  FRAMING_ADJUST,
  FRAMING_DELIMITER,
  FRAMING_DELIMITER_BYTES,
  FRAMING_FIXED,
  FRAMING_FORM,
  FRAMING_FRAMING_SIZE,
  FRAMING_LENGTH_FIELD,
  FRAMING_LINE,
  FRAMING_LITTLE,
  FRAMING_MAX,
  FRAMING_NO_STRIP,
  FRAMING_OFFSET,
  FRAMING_RAW,
  FRAMING_STRIP,
  FRAMING_VARINT,
  FRAMING_WIDTH,
} from '../native/record.js'
import type { Framing } from './framing.js'
import { toNative } from './native-framing.js'

const FORMS: Readonly<Record<Framing['kind'], number>> = {
  raw: FRAMING_RAW,
  line: FRAMING_LINE,
  delimiter: FRAMING_DELIMITER,
  fixed: FRAMING_FIXED,
  lengthField: FRAMING_LENGTH_FIELD,
  varint: FRAMING_VARINT,
}

/** Writes a framing, which was checked, as the payload of a `FRAMING` record. */
export function encodeFraming(framing: Framing): Buffer {
  const payload = Buffer.alloc(FRAMING_FRAMING_SIZE)
  payload.writeUInt32LE(FORMS[framing.kind], FRAMING_FORM)
  // How much a raw stream may leave unread is JavaScript's business.
  if (framing.kind === 'raw') return payload
  const { max, size, delimiter, bytes, offset, adjust, strip, little } = toNative(framing)
  payload.writeUInt32LE(size ?? max ?? 0, FRAMING_MAX)
  payload.writeUInt32LE(delimiter?.length ?? bytes ?? 0, FRAMING_WIDTH)
  payload.writeUInt32LE(offset ?? 0, FRAMING_OFFSET)
  payload.writeInt32LE(adjust ?? 0, FRAMING_ADJUST)
  payload.writeUInt32LE(strip ?? (framing.kind === 'varint' ? FRAMING_NO_STRIP : 0), FRAMING_STRIP)
  payload.writeUInt32LE(little === true ? 1 : 0, FRAMING_LITTLE)
  payload.set(delimiter ?? [], FRAMING_DELIMITER_BYTES)
  return payload
}
