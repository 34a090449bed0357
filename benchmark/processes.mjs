/** The processes of a run. Each is killed by its own id, whatever ends the runner. */

import { spawn } from 'node:child_process'

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

/** @type {Set<ChildProcess>} */
const alive = new Set()

/**
 * Starts a process whose three streams are pipes.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {ChildProcess & { stdin: any, stdout: any, stderr: any }}
 */
export function start(command, args) {
  const child = spawn(command, args, { stdio: 'pipe' })
  alive.add(child)
  child.on('exit', () => alive.delete(child))
  child.on('error', () => alive.delete(child))
  // The process may exit before it has read everything.
  child.stdin.on('error', () => {})
  return /** @type {any} */ (child)
}

/**
 * Resolves with how a process ended: its exit code, the signal's name, or why it did not start.
 *
 * @param {ChildProcess} child
 * @returns {Promise<number | string>}
 */
export function ended(child) {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'unknown'))
  })
}

function endAll() {
  for (const child of alive) child.kill('SIGKILL')
}

process.on('exit', endAll)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130))
