/** What a codec has copied may be transferred: compiled by `tsconfig.test.json`, never run. */

import type { MessagePort } from 'node:worker_threads'
import { defineCodec, lengthField, serve } from 'millrace'

const codec = defineCodec({
  framing: lengthField(),
  decode: (from) => ({ id: from.u32(), body: from.copy(from.remaining) }),
  encode: (text: string, to) => to.text(text),
})

export function serveWorker(port: MessagePort) {
  return serve({
    listen: 0,
    codec,
    message(conn, { id, body }) {
      const bytes: Buffer = body
      conn.write(`${id} ${bytes.length}`)
      port.postMessage(body, [body.buffer])
      return structuredClone(body, { transfer: [body.buffer] })
    },
  })
}
