import test from 'ava'
import { dial, peer } from './support/dial.js'
import { gate } from './support/gate.js'
import { KINDS } from './support/kinds.js'
import { start } from './support/serve.js'
import { turns } from './support/turns.js'

for (const kind of KINDS) {
  test(`T29: the message of a peer that writes and closes at once arrives, with a handler and with iteration (${kind})`, async (t) => {
    const to = await peer(t, kind, (socket) => socket.end('last words'))
    const loops = await start(t, {})
    for (let round = 0; round < 50; round++) {
      const closed = gate<Error | undefined>()
      let heard = ''
      await dial(t, {
        to,
        loops,
        message(_conn, chunk) {
          heard += chunk
        },
        close: (_conn, error) => closed.open(error),
      })
      t.is(await closed.passed, undefined)
      t.is(heard, 'last words')

      const conn = await dial(t, { to, loops })
      await turns(round % 5)
      let pulled = ''
      for await (const chunk of conn) pulled += chunk
      t.is(pulled, 'last words')
    }
  })

  test(`nothing is read before the first pull (${kind})`, async (t) => {
    const to = await peer(t, kind, (socket) => socket.end('early'))
    const conn = await dial(t, { to })
    await turns(200)
    t.is(conn.bytesRead, 0)
    t.is(conn.readyState, 'open')
    for await (const chunk of conn) t.is(String(chunk), 'early')
  })

  test(`a FIN is reported even if no data came before it and nobody pulls (${kind})`, async (t) => {
    const to = await peer(t, kind, (socket) => socket.end())
    const closed = gate<Error | undefined>()
    await dial(t, { to, close: (_conn, error) => closed.open(error) })
    t.is(await closed.passed, undefined)
  })
}
