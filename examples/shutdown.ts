/** How an example server stops: the first Ctrl-C drains connections, the second one drops them. */

import type { CodedError, Server } from 'millrace'

/** One Ctrl-C can arrive as two signals: the terminal sends one, and npm passes its own on. */
const SAME_KEY_PRESS = 250

/**
 * Closes a server at SIGINT or SIGTERM. The server accepts no more connections, answers what it has
 * received, and the process ends with the last connection. `stop` is called first.
 */
export function closeOnSignal(server: Server, stop: () => void = () => {}): void {
  let first: number | undefined
  const onSignal = async () => {
    const now = performance.now()
    if (first !== undefined) {
      if (now - first > SAME_KEY_PRESS) process.exit(130)
      return
    }
    first = now
    stop()
    console.log(`\nclosing; connections: ${server.connections}; Ctrl-C again drops them`)
    await server.close()
    console.log('closed')
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
}

/** Ends the process with a clear message if the port is taken. For `serve(…).catch(exitIfTaken)`. */
export function exitIfTaken(error: CodedError & { port?: number }): never {
  if (error.code !== 'EADDRINUSE') throw error
  console.error(`port ${error.port} is taken: choose another with PORT=..., or PORT=0 for any`)
  process.exit(1)
}
