/** Unix sockets in a directory that another process has locked, as millrace does for a moment while it binds. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { serve } from 'millrace'
import { connect, read } from './support/client.js'
import { path } from './support/dial.js'
import { ANY, LOOPS, start } from './support/serve.js'
import { linux } from './support/system.js'
import { turns } from './support/turns.js'

/** A directory that another process has locked. */
interface Locked {
  readonly directory: string
  unlock(): Promise<void>
}

async function locked(t: ExecutionContext): Promise<Locked> {
  const directory = path()
  mkdirSync(directory)
  const holder = spawn('flock', [directory, 'sh', '-c', 'echo locked; exec cat'])
  t.teardown(() => {
    holder.kill('SIGKILL')
    holder.stdin.destroy()
    rmSync(directory, { recursive: true, force: true })
  })
  await once(holder.stdout, 'data')
  return {
    directory,
    async unlock() {
      holder.stdin.end()
      await once(holder, 'close')
    },
  }
}

/** Tells whether a promise has settled. */
function settling(promise: Promise<unknown>): { isSettled: boolean } {
  const state = { isSettled: false }
  const settle = () => {
    state.isSettled = true
  }
  promise.then(settle, settle)
  return state
}

/** Fewer than the attempts to get the lock, each of which takes a turn. */
const SOME = 20

linux('the event loop goes on while another process has locked the directory', async (t) => {
  const { directory, unlock } = await locked(t)
  const at = join(directory, 'socket')
  const serving = serve({
    listen: [ANY, { path: at }],
    loops: LOOPS,
    message: (conn, chunk) => conn.write(chunk),
  })
  const state = settling(serving)
  await turns(SOME)
  t.false(state.isSettled)
  t.deepEqual(readdirSync(directory), [])
  await unlock()
  const server = await serving
  t.teardown(() => server.close({ timeout: 0 }))
  const socket = await connect(at)
  socket.write('hello')
  t.is(String(await read(socket, 5)), 'hello')
  socket.destroy()
})

linux('a directory that stays locked does not prevent listening', async (t) => {
  const { directory } = await locked(t)
  const at = join(directory, 'socket')
  const server = await start(t, { listen: { path: at } })
  t.deepEqual(server.addresses, [`unix://${at}`])
  t.deepEqual(readdirSync(directory), ['socket'])
})

linux('an abort ends the wait for a locked directory, and nothing is bound', async (t) => {
  const { directory, unlock } = await locked(t)
  const abort = new AbortController()
  const reason = new Error('enough')
  const listen = { path: join(directory, 'socket') }
  const serving = serve({ listen, loops: LOOPS, signal: abort.signal })
  await turns(SOME)
  abort.abort(reason)
  t.is(await t.throwsAsync(serving), reason)
  await unlock()
  t.deepEqual(readdirSync(directory), [])
})

linux(
  'a server that closes while a listener waits for a locked directory does not add it',
  async (t) => {
    const { directory, unlock } = await locked(t)
    const server = await start(t, {})
    const adding = server.listen({ path: join(directory, 'socket') })
    const state = settling(adding)
    await turns(SOME)
    t.false(state.isSettled)
    await server.close()
    await t.throwsAsync(adding, { code: 'ERR_CLOSED' })
    await unlock()
    t.deepEqual(readdirSync(directory), [])
  },
)
