// @ts-check
/** How an example server ends: in good order at the first Ctrl-C, at once at the second. */

/** Milliseconds in which signals are one Ctrl-C: npm passes on what the terminal sends anyway. */
const SAME_KEY = 250

/**
 * Closes a server at SIGINT or SIGTERM. Nothing is accepted any more, what came in is answered, and
 * the process ends by itself with the last connection.
 *
 * @param {{ readonly connections: number, close(): Promise<void> }} server
 * @param {() => void} stop called first: there is nothing more to do but to end
 */
export function closeOnSignal(server, stop = () => {}) {
  let first = 0
  const onSignal = () => {
    const now = performance.now()
    if (first > 0) {
      if (now - first > SAME_KEY) process.exit(130)
      return
    }
    first = now
    stop()
    console.log(`\nclosing; connections: ${server.connections}; Ctrl-C again drops them`)
    void server.close().then(() => {
      console.log('closed')
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    })
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
}

/**
 * Ends the process with a clear word if the port is taken; for `serve(...).catch(...)`.
 *
 * @param {NodeJS.ErrnoException & { port?: number }} error
 * @returns {never}
 */
export function exitIfTaken(error) {
  if (error.code !== 'EADDRINUSE') throw error
  console.error(`port ${error.port} is taken: choose another with PORT=..., or PORT=0 for any`)
  return process.exit(1)
}
