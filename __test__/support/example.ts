/** Runs an example as `npm start` does: in a process of its own. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

const START = fileURLToPath(new URL('../../scripts/start.mjs', import.meta.url))

/** How a process ended. */
export interface End {
  code: number | null
  signal: NodeJS.Signals | null
  /** Everything that the process wrote to its standard error. */
  stderr: string
}

/** An example that is listening. */
export interface Example {
  readonly port: number
  /** Resolves with the next line that the example prints. */
  line(): Promise<string>
  kill(signal: NodeJS.Signals): void
  readonly ended: Promise<End>
}

/** Runs `examples/<path>` until the test ends. */
export function run(
  t: ExecutionContext,
  path: string,
  env: NodeJS.ProcessEnv,
): Omit<Example, 'port'> {
  const file = fileURLToPath(new URL(`../../examples/${path}`, import.meta.url))
  const child = spawn(process.execPath, [START, file], {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(child, 'close').then(([code, signal]): End => ({ code, signal, stderr }))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    ended,
    kill: (signal) => void child.kill(signal),
    async line() {
      const { done, value } = await lines.next()
      if (done) throw new Error(`${path} ended: ${(await ended).stderr}`)
      return value
    },
  }
}

/** Runs an example on a free port, with the loops of this test run, and waits until it listens. */
export async function runListening(t: ExecutionContext, path: string): Promise<Example> {
  const example = run(t, path, { PORT: '0', LOOPS: process.env.MILLRACE_TEST_LOOPS ?? '1' })
  const [, port] = /^listening on tcp:\/\/127\.0\.0\.1:(\d+)$/.exec(await example.line()) ?? []
  return { ...example, port: Number(port) }
}
