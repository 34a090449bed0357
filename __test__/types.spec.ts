import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TESTS = join(ROOT, '__test__', 'types')
const TSC = join(
  dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
  'bin',
  'tsc',
)

const OPTIONS = {
  compilerOptions: {
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'NodeNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
  },
  include: ['tests/*.ts'],
}

/** Makes a separate project, where millrace is installed without its sources. */
async function makeProject(t: ExecutionContext): Promise<string> {
  const project = await mkdtemp(join(tmpdir(), 'millrace-types-'))
  t.teardown(() => rm(project, { recursive: true }))
  const target = join(project, 'node_modules', 'millrace')
  await mkdir(join(target, 'lib'), { recursive: true })
  for (const file of ['package.json', 'index.d.ts', 'native.d.cts'])
    await cp(join(ROOT, file), join(target, file))
  for (const file of await readdir(join(ROOT, 'lib'), { recursive: true })) {
    if (file.endsWith('.d.ts')) await cp(join(ROOT, 'lib', file), join(target, 'lib', file))
  }
  for (const name of ['@types', 'undici-types']) {
    await symlink(join(ROOT, 'node_modules', name), join(project, 'node_modules', name), 'junction')
  }
  await writeFile(join(project, 'package.json'), JSON.stringify({ type: 'module' }))
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(OPTIONS))
  return project
}

test('the published declarations pass the type tests', async (t) => {
  const project = await makeProject(t)
  await cp(TESTS, join(project, 'tests'), { recursive: true })
  const run = promisify(execFile)(process.execPath, [TSC, '-p', project, '--listFiles'])
  const { stdout } = await run.catch((error) => error)
  t.is((stdout.match(/.*error TS.*/g) ?? []).join('\n'), '')
  for (const name of await readdir(TESTS)) t.true(stdout.includes(`/tests/${name}`), name)
  t.true(stdout.includes('/millrace/lib/serve.d.ts'))
})

/** Mistakes that users make, and the word that the compiler's message has to name. */
const MISTAKES: readonly (readonly [code: string, word: string])[] = [
  ['serve({ port: 9000, codec, message: (conn, m) => conn.write(m) })', "'port'"],
  ['serve({ lisen: 9000, codec, message: (conn, m) => conn.write(m) })', "'lisen'"],
  ['serve({ listen: 9000, codec, mesage: () => {} })', "'mesage'"],
  ['bind({ port: 9000, codec, message: (socket, m, info) => socket.send(m, info) })', "'port'"],
  ["connect({ host: 'a', port: 9000, codec, message: () => {} })", "'host'"],
  ['connect({ to: 9000, codec, time: 5, message: () => {} })', "'time'"],
  ['connect({ to: 9000, codec, reconnect: { min: 5 }, mesage: () => {} })', "'mesage'"],
  ['connect({ to: 9000, codec, reconnect: { maxAttempts: 5 } })', "'maxAttempts'"],
]

test('the compiler names the option that is wrong, and not the codec', async (t) => {
  const project = await makeProject(t)
  await mkdir(join(project, 'tests'))
  const head = `import { bind, connect, defineCodec, lengthField, serve } from 'millrace'
const codec = defineCodec({
  framing: lengthField(),
  decode: (from): { id: number } => ({ id: from.u32() }),
  encode: (message: { id: number }, to) => void to.u32(message.id),
})
`
  for (const [at, [code]] of MISTAKES.entries()) {
    await writeFile(join(project, 'tests', `mistake-${at}.ts`), `${head}${code}\n`)
  }
  const run = promisify(execFile)(process.execPath, [TSC, '-p', project])
  const { stdout } = await run.catch((error) => error)
  for (const [at, [code, word]] of MISTAKES.entries()) {
    const parts = stdout.split(/^(?=\S)/m) as string[]
    const messages = parts.filter((part) => part.includes(`mistake-${at}.ts`)).join('')
    t.true(messages.includes(word), `${code}: ${messages}`)
    t.false(messages.includes("Type 'Codec<"), `${code}: ${messages}`)
  }
})

test('the package exports the values that index.d.ts declares', async (t) => {
  const source = await readFile(join(ROOT, 'index.d.ts'), 'utf8')
  const values = [...source.matchAll(/^export \{([^}]*)\}/gm)]
    .flatMap((match) => (match[1] as string).split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
  t.deepEqual(Object.keys(await import('millrace')).sort(), values.sort())
})
