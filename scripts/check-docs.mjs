// Checks README, docs and docstrings: `npm run check:docs`, after `npm run build`.
//
// - Every TypeScript block compiles under `strict`, as a module of its own, against the package as npm
//   packs it. Blocks of JavaScript are refused, because nothing checks them.
// - Every `@example` of a docstring, and every other block there, compiles in the same way. None of them runs.
// - Every block of a page that is a whole program runs, and prints what it says it prints.
// - Every option has its row in docs/options.md, every member of Conn, Server and the like its row in
//   docs/members.md, every method of Reader and Writer its row in docs/reader-and-writer.md, every field of
//   DatagramInfo its row in docs/datagrams.md, and every row names something that exists.
// - Every link to a file of this repository leads somewhere.
// - A page and docstrings that are broken on purpose (__test__/fixtures/broken-page.md and
//   broken-docstring.ts) are reported as they should be, so that this script cannot pass by seeing nothing.
//
// How to write a block of a page:
//
//   ```ts              A fragment, with a `with` comment above it. It is compiled and never run.
//   ```ts run          A whole program. It is run, too, and has to end by itself within 20 seconds.
//   ```ts run 2s       The same, with a time of its own.
//   ```ts compiled     A whole program that cannot run everywhere. It is compiled and never run.
//
// What a fragment uses without declaring it comes from a comment just above the block, which no reader
// of the page sees:
//
//   <!-- with:
//   import type { Conn } from 'millrace'
//   declare const conn: Conn
//   -->
//
// A program says what it prints in comments, `// prints: hello`; `…` stands for any text. Each of them has
// to match one line of its output, in any order, and no line may be left over. What a page leaves out,
// such as a client that makes a server print something, comes from a comment just below the block:
//
//   <!-- then:
//   await server.close()
//   -->
//
// Ports 9000 to 9099 become 0 in the copy that runs: ask `server.port` for the real one. In `prints` they
// stand for any port.
//
// A block of a docstring begins with ```ts alone. The exports of millrace need no import there, and neither do
// `assert` and the few constants in scripts/check-docs-docstrings.mjs, such as `conn` and `server`. What the
// block declares or imports itself replaces them.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readSources, sourceNames } from './check-docs-docstrings.mjs'
import { brokenLinks } from './check-docs-links.mjs'
import { pageNames, readPage } from './check-docs-pages.mjs'
import { runPrograms } from './check-docs-programs.mjs'
import { makeProject, ROOT } from './check-docs-project.mjs'
import { tableModules } from './check-docs-tables.mjs'

const BROKEN_PAGE = '__test__/fixtures/broken-page.md'
const BROKEN_DOCSTRING = '__test__/fixtures/broken-docstring.ts'
const BROKEN = [BROKEN_PAGE, BROKEN_DOCSTRING]

const names = await pageNames(ROOT)
const pages = await Promise.all([...names, BROKEN_PAGE].map((name) => readPage(ROOT, name)))
const blocks = pages.flatMap((page) => page.blocks)
const sources = await readSources(ROOT, [...(await sourceNames(ROOT)), BROKEN_DOCSTRING])
const examples = sources.flatMap((source) => source.blocks)

const project = await makeProject()
const problems = [...pages, ...sources].flatMap((page) => page.problems)
try {
  const modules = [...blocks, ...examples, ...tableModules(pages)]
  problems.push(...(await project.compile(modules)))
  problems.push(...(await runPrograms(project.directory, blocks)))
  problems.push(...(await brokenLinks(ROOT, pages)))
} finally {
  await project.remove()
}

const others = problems.filter(({ page }) => !BROKEN.includes(page))
const blind = (await Promise.all(BROKEN.map(blindSpots))).flat()

for (const { page, line, text } of others) console.error(`${page}:${line}: ${text}`)
for (const each of blind) console.error(each)
const programs = blocks.filter((block) => block.runs).length
console.log(`${names.length} pages, ${blocks.length} TypeScript blocks, ${programs} of them run`)
console.log(`${examples.length} examples in docstrings`)
console.log(`${others.length + blind.length} problems`)
process.exitCode = others.length + blind.length > 0 ? 1 : 0

/** The problems that a broken file has, and that were not found; and those found that it does not have. */
async function blindSpots(name) {
  const text = await readFile(join(ROOT, name), 'utf8')
  const list = /(?:<!--|\/\*) problems\n([\s\S]*?)(?:-->|\*\/)/.exec(text)?.[1] ?? ''
  const expected = [...list.matchAll(/^(\d+): (.+)$/gm)].map(([, line, part]) => ({ line, part }))
  const left = problems.filter(({ page }) => page === name)
  const missed = expected.filter(({ line, part }) => {
    const at = left.findIndex((each) => each.line === Number(line) && each.text.includes(part))
    if (at !== -1) left.splice(at, 1)
    return at === -1
  })
  return [
    ...(expected.length === 0 ? ['has no list of its problems'] : []),
    ...missed.map(({ line, part }) => `the checker did not report line ${line}: ${part}`),
    ...left.map(({ line, text }) => `the checker reported line ${line} for no reason: ${text}`),
  ].map((each) => `${name}: ${each}`)
}
