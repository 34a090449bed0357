// A project of a user, with the packed package in its node_modules, in which blocks are compiled and run.

import { execFile } from 'node:child_process'
import {
  access,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

const execute = promisify(execFile)
const TSC = join(
  dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
  'bin',
  'tsc',
)

/** As strict as a user can be, and so that what is copied from a page runs by type stripping. */
const OPTIONS = {
  target: 'ES2022',
  lib: ['ES2023', 'ESNext.Disposable'],
  module: 'NodeNext',
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  verbatimModuleSyntax: true,
  erasableSyntaxOnly: true,
  skipLibCheck: false,
  noEmit: true,
  types: ['node'],
}

/** Packs the package without running scripts, and installs it in a new folder. */
export async function makeProject() {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-docs-'))
  const remove = () => rm(directory, { recursive: true, force: true })
  try {
    await install(directory)
  } catch (error) {
    await remove()
    throw error
  }
  return { directory, remove, compile: (modules) => compile(directory, modules) }
}

async function install(directory) {
  await access(join(ROOT, 'index.js')).catch(() => {
    throw new Error('the package is not built: npm run build')
  })
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory]
  const npm = process.env.npm_execpath
  const { stdout } = npm
    ? await execute(process.execPath, [npm, ...pack], { cwd: ROOT })
    : await execute('npm', pack, { cwd: ROOT, shell: process.platform === 'win32' })
  const result = JSON.parse(stdout)
  // An array up to npm 11, an object with a field for each package since.
  const [{ filename }] = Array.isArray(result) ? result : Object.values(result)
  await execute('tar', ['-xzf', filename], { cwd: directory })
  const modules = join(directory, 'node_modules')
  await mkdir(modules)
  await rename(join(directory, 'package'), join(modules, 'millrace'))
  for (const name of await readdir(ROOT)) {
    // In a published package the binary comes from the package of the platform.
    if (name.endsWith('.node')) await copyFile(join(ROOT, name), join(modules, 'millrace', name))
  }
  for (const name of ['@types', 'undici-types']) {
    await symlink(join(ROOT, 'node_modules', name), join(modules, name), 'junction')
  }
  await writeFile(join(directory, 'package.json'), JSON.stringify({ type: 'module' }))
  const project = { compilerOptions: OPTIONS, include: ['*.ts'] }
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(project))
}

/** Compiles each module by itself. What is wrong is told with the page and the line that it stands on. */
async function compile(directory, modules) {
  const files = new Map()
  for (const module of modules) {
    const file = `${module.page.replace(/\W+/g, '-')}-${module.line}${module.suffix ?? ''}.ts`
    const texts = module.lines.map(({ text }) => text)
    await writeFile(join(directory, file), `${[...texts, 'export {}'].join('\n')}\n`)
    files.set(file, module)
  }
  const { stdout } = await execute(process.execPath, [TSC, '-p', directory, '--pretty', 'false'], {
    cwd: directory,
    maxBuffer: 1 << 26,
  }).catch((error) => error)
  const problems = []
  for (const line of stdout.split('\n')) {
    const [, file, at, text] = /^(.+?)\((\d+),\d+\): error (TS.*)$/.exec(line) ?? []
    const module = files.get(file)
    if (module !== undefined) {
      const place = module.lines[Number(at) - 1]?.line ?? module.line
      problems.push({ page: module.page, line: place, text: module.explain?.(text) ?? text })
    } else if (/^\s+\S/.test(line) && problems.length > 0) {
      problems.at(-1).text += `\n${line}`
    } else if (line.trim() !== '') {
      problems.push({ page: 'tsc', line: 0, text: line })
    }
  }
  return problems
}
