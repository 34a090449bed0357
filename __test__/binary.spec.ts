/** The package without a binary that fits: a copy of it, in a process of its own. */

import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { TARGETS } from '../lib/native/binary.js'
import { path } from './support/dial.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** What a process printed about the error of loading the package. */
interface Failure {
  readonly name: string
  readonly code: string
  readonly message: string
  /** The message of the loader's own error. */
  readonly cause: string
}

/** Makes a copy of the package without a binary. */
function copy(t: ExecutionContext): string {
  const directory = path()
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  mkdirSync(directory, { recursive: true })
  for (const name of ['index.js', 'native.cjs', 'package.json', 'lib'])
    cpSync(join(ROOT, name), join(directory, name), {
      recursive: true,
      filter: (file) => !file.endsWith('.ts'),
    })
  return directory
}

/** Puts a package with a binary for a system beside a copy. */
function install(directory: string, target: string, content = 'no binary at all'): void {
  const to = join(directory, 'node_modules', `millrace-${target}`)
  mkdirSync(to, { recursive: true })
  const main = `millrace.${target}.node`
  writeFileSync(join(to, main), content)
  writeFileSync(
    join(to, 'package.json'),
    JSON.stringify({ name: `millrace-${target}`, version: '0.1.0', main }),
  )
}

const CATCH = `(error) => console.log(JSON.stringify({
  name: error.name, code: error.code, message: error.message, cause: error.cause?.message,
}))`

/** Ways to load a package. */
const WAYS = {
  import: `import('./index.js').then(() => console.log('{}'), ${CATCH})`,
  require: `try { require('./index.js'); console.log('{}') } catch (error) { (${CATCH})(error) }`,
} as const

/** Loads a copy in a process of its own, which runs `before` first. */
async function load(
  directory: string,
  {
    way = 'import',
    before = '',
    env = {},
  }: { way?: keyof typeof WAYS; before?: string; env?: object } = {},
): Promise<Failure> {
  const script = `${before}\n${WAYS[way]}`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=commonjs', '-e', script],
    {
      cwd: directory,
      env: { ...process.env, ...env },
    },
  )
  return JSON.parse(stdout) as Failure
}

/** Pretends that the process runs elsewhere. */
function on(platform: string, arch: string): string {
  return `for (const [name, value] of [['platform', '${platform}'], ['arch', '${arch}']])
    Object.defineProperty(process, name, { value })`
}

/** The system of this process, as packages are named. */
const HERE =
  TARGETS.find((target) => {
    try {
      return createRequire(import.meta.url).resolve(`../millrace.${target}.node`) !== ''
    } catch {
      return false
    }
  }) ?? ''

test('there is a package for each system with a binary', (t) => {
  t.deepEqual(readdirSync(join(ROOT, 'npm')).sort(), [...TARGETS])
  t.true(TARGETS.includes(HERE))
})

for (const way of ['import', 'require'] as const) {
  test(`${way}: without a binary, one line says which package is missing, and why`, async (t) => {
    const failure = await load(copy(t), { way })
    t.is(failure.name, 'MillraceError')
    t.is(failure.code, 'ERR_NO_BINARY')
    t.is(
      failure.message,
      `millrace's binary for ${HERE} is missing, because the package millrace-${HERE} is not installed: it is an optional dependency, which --omit=optional and --no-optional leave out. Install again on this system: npm install --include=optional`,
    )
    t.regex(failure.cause, /^Cannot find native binding/)
  })
}

test('if the packages of other systems are installed, the error names them', async (t) => {
  const directory = copy(t)
  const others = TARGETS.filter((target) => target !== HERE).slice(0, 2)
  for (const target of others) install(directory, target)
  const { message } = await load(directory)
  t.true(message.includes(`the package millrace-${HERE} is not installed: `), message)
  const names = others.map((target) => `millrace-${target}`).join(', ')
  t.true(message.includes(`node_modules has ${names}, and comes from another system`), message)
  t.false(message.includes('\n'))
})

test('a binary that cannot be loaded is told with the reason of the system', async (t) => {
  const directory = copy(t)
  install(directory, HERE)
  const { code, message } = await load(directory)
  t.is(code, 'ERR_NO_BINARY')
  t.true(message.startsWith(`millrace's binary for ${HERE} cannot be loaded: `), message)
  t.true(message.includes(`millrace.${HERE}.node`), message)
  t.false(message.includes('\n'))
})

test('a system without binaries is told for which systems there are some', async (t) => {
  const { code, message } = await load(copy(t), { before: on('sunos', 'ppc64') })
  t.is(code, 'ERR_NO_BINARY')
  t.is(
    message,
    `millrace has no binary for sunos-ppc64, but for ${TARGETS.join(', ')}: build one from its source with npm run build`,
  )
})

for (const [platform, arch, target] of [
  ['darwin', 'arm64', 'darwin-arm64'],
  ['win32', 'x64', 'win32-x64-msvc'],
  ['linux', 'arm64', 'linux-arm64-musl'],
] as const) {
  test(`the package that is missing on ${target} is named`, async (t) => {
    // A report without a version of glibc, as Node for musl makes it.
    const before = `${on(platform, arch)}\nprocess.report.getReport = () => ({ header: {} })`
    const { message } = await load(copy(t), { before })
    t.true(message.includes(`the package millrace-${target} is not installed`), message)
  })
}

test('a binary of NAPI_RS_NATIVE_LIBRARY_PATH that is missing or broken is named', async (t) => {
  const directory = copy(t)
  const own = join(directory, 'own.node')
  const env = { NAPI_RS_NATIVE_LIBRARY_PATH: own }
  const missing = await load(directory, { env })
  t.is(missing.message, `the binary ${own} of NAPI_RS_NATIVE_LIBRARY_PATH cannot be loaded`)
  writeFileSync(own, 'no binary at all')
  const broken = await load(directory, { env })
  t.true(broken.message.startsWith(`${missing.message}: `), broken.message)
})

test('with its binary, the same copy loads', async (t) => {
  const directory = copy(t)
  install(directory, HERE)
  const name = `millrace.${HERE}.node`
  writeFileSync(join(directory, name), readFileSync(join(ROOT, name)))
  for (const way of ['import', 'require'] as const)
    t.deepEqual(await load(directory, { way }), {} as Failure)
})
