/** Loads the compiled module before anything else imports it, so that a missing one is explained in one line. */

import { createRequire } from 'node:module'
import { MillraceError } from '../errors.js'

/** The systems that there are packages with a binary for, as their names end. */
export const TARGETS: readonly string[] = [
  'darwin-arm64',
  'darwin-x64',
  'linux-arm64-gnu',
  'linux-arm64-musl',
  'linux-x64-gnu',
  'linux-x64-musl',
  'win32-arm64-msvc',
  'win32-x64-msvc',
]

const LOADER = '../../native.cjs'

const require: NodeJS.Require = createRequire(import.meta.url)

function canResolve(module: string): boolean {
  try {
    require.resolve(module)
    return true
  } catch {
    return false
  }
}

function packageOf(target: string): string {
  return `millrace-${target}`
}

/** Returns the part of a package's name that says for which libc or tool chain it is; `''` if there is none. */
function suffix(): string {
  if (process.platform === 'win32') return '-msvc'
  if (process.platform !== 'linux') return ''
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean }
  // Otherwise the names of all peers are looked up, which may take long.
  report.excludeNetwork = true
  const { header } = report.getReport() as unknown as {
    header: { glibcVersionRuntime?: string }
  }
  return header.glibcVersionRuntime === undefined ? '-musl' : '-gnu'
}

/**
 * Finds why a binary that is there cannot be loaded, among the errors of all places where the loader looked. Their codes
 * are lost on the way.
 *
 * @returns undefined if there is none
 */
function loadFailure(error: unknown): string | undefined {
  // The loader's own error says only that all places failed.
  for (let each = (error as Error).cause; each instanceof Error; each = each.cause) {
    const [line = ''] = each.message.split('\n')
    if (!line.startsWith('Cannot find module')) return line
  }
  return undefined
}

/** Says what is missing, or wrong, and what to do. */
function explain(error: unknown): string {
  const failure = loadFailure(error)
  const because = failure === undefined ? '' : `: ${failure}`
  const path = process.env.NAPI_RS_NATIVE_LIBRARY_PATH
  if (path) return `the binary ${path} of NAPI_RS_NATIVE_LIBRARY_PATH cannot be loaded${because}`
  const target = `${process.platform}-${process.arch}${suffix()}`
  if (!TARGETS.includes(target)) {
    const others = TARGETS.join(', ')
    return `millrace has no binary for ${target}, but for ${others}: build one from its source with npm run build`
  }
  if (failure !== undefined) return `millrace's binary for ${target} cannot be loaded${because}`
  const installed = TARGETS.map(packageOf).filter(canResolve)
  const reason =
    installed.length === 0
      ? 'it is an optional dependency, which --omit=optional and --no-optional leave out'
      : `node_modules has ${installed.join(', ')}, and comes from another system`
  const missing = `millrace's binary for ${target} is missing, because the package ${packageOf(target)} is not installed`
  return `${missing}: ${reason}. Install again on this system: npm install --include=optional`
}

/** @throws `ERR_NO_BINARY`, with the error of the generated loader as its `cause` */
function load(): void {
  // A bundler may have put the loader elsewhere. Then the loader's own error has to do.
  if (!canResolve(LOADER)) return
  try {
    require(LOADER)
  } catch (cause) {
    throw new MillraceError('ERR_NO_BINARY', explain(cause), { cause })
  }
}

load()
