// Makes the API reference in docs/api from the declarations that `npm run build:ts` emits.
//
//   npm run docs:api                 writes docs/api
//   npm run docs:api -- --strict     fails on every warning, and on exports without a docstring

import { cp, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Application, ReflectionKind } from 'typedoc'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const ROOT = join(HERE, '..', '..')
const isStrict = process.argv.includes('--strict')

const directory = await mkdtemp(join(tmpdir(), 'millrace-api-'))
try {
  await copyDeclarations(directory)
  process.exitCode = (await generate(directory)) ? 0 : 1
} finally {
  await rm(directory, { recursive: true })
}

/** Copies the declarations without their sources: typedoc would read those instead. */
async function copyDeclarations(to) {
  const lib = await readdir(join(ROOT, 'lib'), { recursive: true })
  const emitted = lib.filter((name) => name.endsWith('.d.ts')).map((name) => join('lib', name))
  if (emitted.length === 0) throw new Error('the package is not built: npm run build')
  for (const name of ['index.d.ts', 'native.d.cts', 'package.json', ...emitted])
    await cp(join(ROOT, name), join(to, name))
  const types = dirname(createRequire(import.meta.url).resolve('typedoc/package.json'))
  await symlink(join(types, '..'), join(to, 'node_modules'), 'junction')
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'NodeNext',
    strict: true,
    noEmit: true,
    types: ['node'],
  }
  const project = { compilerOptions, files: ['index.d.ts'] }
  await writeFile(join(to, 'tsconfig.json'), JSON.stringify(project))
}

/** Whether it went well. */
async function generate(from) {
  const app = await Application.bootstrap({
    entryPoints: [join(from, 'index.d.ts')],
    tsconfig: join(from, 'tsconfig.json'),
    name: 'millrace',
    readme: join(HERE, 'index.md'),
    excludePrivate: true,
    excludeInternal: true,
    // What comes from Node's declarations is documented there.
    excludeExternals: true,
    disableSources: true,
    sort: ['kind', 'alphabetical'],
    // Only wraps the result of `context`, to refuse promises.
    validation: { notExported: true, invalidLink: true, notDocumented: isStrict },
    treatWarningsAsErrors: isStrict,
    treatValidationWarningsAsErrors: isStrict,
  })
  const project = await app.convert()
  if (project === undefined) return false
  app.options.setValue('intentionallyNotDocumented', fieldsOfLiterals(project))
  app.validate(project)
  await app.generateDocs(project, join(HERE, '..', 'api'))
  const { errorCount, warningCount } = app.logger
  return errorCount === 0 && !(isStrict && warningCount > 0)
}

/** Fields of object types without a name, which need no docstring: what has the type has one. */
function fieldsOfLiterals(project) {
  const all = project.getReflectionsByKind(ReflectionKind.Property)
  const fields = all.filter((field) => {
    const isOfLiteral = field.parent?.kindOf(ReflectionKind.TypeLiteral)
    // typedoc never asks parameters for docstrings.
    return isOfLiteral && !field.hasComment() && !isInParameter(field)
  })
  return [...new Set(fields.map((field) => field.getFriendlyFullName()))]
}

function isInParameter({ parent }) {
  if (parent === undefined) return false
  return parent.kindOf(ReflectionKind.Parameter) || isInParameter(parent)
}
