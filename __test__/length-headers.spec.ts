/** Length fields behind other bytes of a header, or that stay in the message: `encode` writes the whole frame. */

import test from 'ava'
import {
  encodeWith,
  type FrameData,
  type LengthFieldOptions,
  lengthField,
  testCodec,
} from 'millrace'
import { connect, readAll } from './support/client.js'
import { start } from './support/serve.js'

/** A frame whose length says `said`, with `body` bytes behind it. */
function frameOf(options: LengthFieldOptions, body: number, said = body): Buffer {
  const { bytes = 4, offset = 0, adjust = 0, endian } = options
  const field = Buffer.alloc(8)
  if (endian === 'little') field.writeBigInt64LE(BigInt(said - adjust))
  else field.writeBigInt64BE(BigInt(said - adjust))
  const length = endian === 'little' ? field.subarray(0, bytes) : field.subarray(8 - bytes)
  return Buffer.concat([Buffer.alloc(offset, 0xee), length, Buffer.alloc(body, 0x61)])
}

const MAX = 200

const OPTIONS: LengthFieldOptions[] = [
  { bytes: 2, offset: 4 },
  { bytes: 2, offset: 4, endian: 'little' },
  { bytes: 1, offset: 1, strip: 0 },
  { bytes: 3, adjust: 6, strip: 0 },
  { bytes: 3, adjust: 6, strip: 9, endian: 'little' },
  { bytes: 4, offset: 2, adjust: -6 },
  { bytes: 8, offset: 3, adjust: -2 },
  { bytes: 4, strip: 1 },
]

for (const options of OPTIONS) {
  const name = JSON.stringify(options)

  test(`write refuses what lengthField(${name}) would cut elsewhere`, async (t) => {
    const { bytes = 4, offset = 0, strip = offset + bytes, adjust = 0 } = options
    const header = offset + bytes
    const codec = lengthField({ ...options, max: MAX })
    const least = Math.max(0, adjust)
    const whole = frameOf(options, 20)
    const most = frameOf(options, MAX + strip - header)
    const refused: [Buffer, string][] = [
      [Buffer.alloc(0), 'ERR_FRAME_INVALID'],
      [whole.subarray(0, offset), 'ERR_FRAME_INVALID'],
      [whole.subarray(0, header - 1), 'ERR_FRAME_INVALID'],
      [whole.subarray(0, -1), 'ERR_FRAME_INVALID'],
      [Buffer.concat([whole, Buffer.of(0)]), 'ERR_FRAME_INVALID'],
      [Buffer.concat([whole, whole]), 'ERR_FRAME_INVALID'],
      [frameOf(options, 20, 21), 'ERR_FRAME_INVALID'],
      [frameOf(options, MAX + 1 + strip - header), 'ERR_FRAME_TOO_LARGE'],
    ]
    const server = await start<Buffer, FrameData>(t, {
      codec,
      open(conn) {
        for (const [frame, code] of refused) {
          t.throws(() => conn.write(frame), { code }, frame.toString('hex'))
          t.throws(() => server.broadcast([frame]), { code })
          t.throws(() => encodeWith(codec, frame), { code })
        }
        conn.write(whole)
        conn.write(frameOf(options, least))
        conn.end([most.subarray(0, 3), most.subarray(3)])
      },
    })
    const sent = await readAll(await connect(server.port))
    t.deepEqual(sent, Buffer.concat([whole, frameOf(options, least), most]))
    const { messages, error } = testCodec(codec, sent)
    t.is(error, undefined)
    t.deepEqual(
      messages.map((message) => message.length),
      [whole.length - strip, header + least - strip, MAX],
    )
  })
}
