import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BIOME = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome')

/** The most lines that a source file may have. */
const MOST_LINES = 400

interface Report {
  diagnostics: { category: string; location: { path: unknown } }[]
}

/** Lints a copy of the fixture with the project's own settings. */
async function lintFixture(directory: string): Promise<string[]> {
  await cp(join(ROOT, 'biome.json'), join(directory, 'biome.json'))
  await cp(join(ROOT, '__test__', 'fixtures', 'layers'), join(directory, 'lib'), {
    recursive: true,
  })
  const args = [BIOME, 'lint', '--reporter=json', '--max-diagnostics=none', '.']
  const run = promisify(execFile)(process.execPath, args, { cwd: directory })
  const { stdout } = await run.catch((error) => error)
  const { diagnostics } = JSON.parse(stdout) as Report
  return diagnostics.map(({ category, location }) => `${JSON.stringify(location.path)} ${category}`)
}

test('an import against the direction of folders, and a circle of files, fail the lint', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-layers-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const found = await lintFixture(directory)
  const expected = [
    ['against-the-direction.ts', 'noRestrictedImports'],
    ['type-against-the-direction.ts', 'noRestrictedImports'],
    ['circle-one.ts', 'noImportCycles'],
    ['circle-two.ts', 'noImportCycles'],
  ] as const
  for (const [file, rule] of expected) {
    t.true(
      found.some((each) => each.includes(`/${file}`) && each.includes(rule)),
      `${file}: ${found}`,
    )
  }
})

test('every folder of lib has its direction set, and a line in lib/README.md', async (t) => {
  const entries = await readdir(join(ROOT, 'lib'), { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const settings = JSON.parse(await readFile(join(ROOT, 'biome.json'), 'utf8'))
  const includes = (settings.overrides as { includes: string[] }[]).flatMap((each) => each.includes)
  const readme = await readFile(join(ROOT, 'lib', 'README.md'), 'utf8')
  t.true(folders.length > 5)
  for (const folder of folders) {
    t.true(includes.includes(`**/lib/${folder}/**`), folder)
    t.true(readme.includes(`| \`${folder}\` |`), folder)
  }
})

test(`no source file has more than ${MOST_LINES} lines`, async (t) => {
  const sources: string[] = []
  for (const folder of ['lib', 'crates', '__test__', 'examples', 'benchmark', 'scripts']) {
    for (const file of await readdir(join(ROOT, folder), { recursive: true })) {
      if (/(?<!\.d)\.(ts|mjs|rs)$/.test(file) && !/\/target\//.test(file)) {
        sources.push(join(folder, file))
      }
    }
  }
  t.true(sources.length > 200)
  for (const source of sources) {
    const lines = (await readFile(join(ROOT, source), 'utf8')).split('\n').length - 1
    t.true(lines <= MOST_LINES, `${source}: ${lines} lines`)
  }
})

test('no spec switches off the limit of a run in which nothing ends', async (t) => {
  const specs = (await readdir(join(ROOT, '__test__'))).filter((file) => file.endsWith('.spec.ts'))
  t.true(specs.length > 100)
  for (const spec of specs) {
    for (const line of (await readFile(join(ROOT, '__test__', spec), 'utf8')).split('\n')) {
      if (/^\s*[^'/*]*\bt\.timeout\(/.test(line)) t.regex(line, /if \(IS_FULL\) t\.timeout/, spec)
    }
  }
})
