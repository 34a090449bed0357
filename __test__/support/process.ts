/** Runs fixtures in separate processes, which print lines. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

/** How a process ended. */
export interface End {
  code: number | null
  signal: NodeJS.Signals | null
  /** Its standard error. */
  stderr: string
}

/** A running fixture. */
export interface Fixture {
  /** The next line of the fixture. Rejects if the fixture ends without one. */
  line(): Promise<string>
  /** All lines that `line` has not returned, until the fixture ends. */
  rest(): Promise<string[]>
  readonly ended: Promise<End>
  kill(): void
}

/** How to run a fixture. */
interface Options {
  args?: readonly (string | number)[]
  env?: NodeJS.ProcessEnv
  /** The limit of its descriptors. */
  descriptors?: number
  /** Descriptors of this process that the fixture inherits, as 3, 4, … */
  inherits?: readonly number[]
  /** Run in a separate network with only 127.0.0.1: see {@link HAS_NETWORKS}. */
  network?: boolean
}

const TYPESCRIPT = new URL('../../scripts/typescript.mjs', import.meta.url).href

const NETWORK = ['unshare', '-rn', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"']

/** Whether processes can have separate networks here. */
export const HAS_NETWORKS =
  process.platform === 'linux' &&
  spawnSync(NETWORK[0] as string, [...NETWORK.slice(1), 'true']).status === 0

/** Starts `fixtures/<name>.ts`; it is killed when the test ends. */
export function launch(t: ExecutionContext, name: string, options: Options = {}): Fixture {
  const path = fileURLToPath(new URL(`../fixtures/${name}.ts`, import.meta.url))
  const { args = [], env = {}, descriptors, inherits = [], network = false } = options
  const command = [
    ...(network ? NETWORK : []),
    process.execPath,
    '--import',
    TYPESCRIPT,
    path,
    ...args.map(String),
  ]
  const limited = ['sh', '-c', `ulimit -n ${descriptors}; exec "$0" "$@"`, ...command]
  const [file = '', ...rest] = descriptors === undefined ? command : limited
  const child = spawn(file, rest, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...inherits],
  })
  t.teardown(() => child.kill('SIGKILL'))
  return watch(child)
}

function watch(child: ChildProcess): Fixture {
  const stdout = child.stdout as NodeJS.ReadableStream
  const stderr: Buffer[] = []
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    stderr: Buffer.concat(stderr).toString(),
  }))
  return {
    ended,
    kill: () => void child.kill('SIGKILL'),
    async line() {
      const { done, value } = await lines.next()
      if (done) throw new Error(`ended without a line: ${(await ended).stderr}`)
      return value as string
    },
    async rest() {
      const rest: string[] = []
      for (let next = await lines.next(); !next.done; next = await lines.next())
        rest.push(next.value)
      return rest
    },
  }
}
