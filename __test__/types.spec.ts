import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

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

test('the published declarations pass the type tests', async (t) => {
  // A separate project, where millrace is installed without its sources.
  const project = await mkdtemp(join(tmpdir(), 'millrace-types-'))
  t.teardown(() => rm(project, { recursive: true }))
  const target = join(project, 'node_modules', 'millrace')
  await mkdir(join(target, 'lib'), { recursive: true })
  for (const file of ['package.json', 'index.d.ts', 'native.d.cts'])
    await cp(join(ROOT, file), join(target, file))
  for (const file of await readdir(join(ROOT, 'lib'), { recursive: true })) {
    if (file.endsWith('.d.ts')) await cp(join(ROOT, 'lib', file), join(target, 'lib', file))
  }
  await cp(TESTS, join(project, 'tests'), { recursive: true })
  for (const name of ['@types', 'undici-types']) {
    await symlink(join(ROOT, 'node_modules', name), join(project, 'node_modules', name), 'junction')
  }
  await writeFile(join(project, 'package.json'), JSON.stringify({ type: 'module' }))
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(OPTIONS))

  const run = promisify(execFile)(process.execPath, [TSC, '-p', project, '--listFiles'])
  const { stdout } = await run.catch((error) => error)
  t.is((stdout.match(/.*error TS.*/g) ?? []).join('\n'), '')
  for (const name of await readdir(TESTS)) t.true(stdout.includes(`/tests/${name}`), name)
  t.true(stdout.includes('/millrace/lib/serve.d.ts'))
})

test('the package exports the values that index.d.ts declares', async (t) => {
  const source = await readFile(join(ROOT, 'index.d.ts'), 'utf8')
  const values = [...source.matchAll(/^export \{([^}]*)\}/gm)]
    .flatMap((match) => (match[1] as string).split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
  t.deepEqual(Object.keys(await import('millrace')).sort(), values.sort())
})
