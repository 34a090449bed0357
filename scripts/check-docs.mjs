// Checks README and docs: `npm run check:docs`, after `npm run build`.
//
// - Every TypeScript block compiles under `strict`, as a module of its own, against the package as npm
//   packs it. Blocks of JavaScript are refused, because nothing checks them.
// - Every block that is a whole program runs, and prints what it says it prints.
// - Every option has its row in docs/options.md, every method of Reader and Writer its row in
//   docs/reader-and-writer.md, and every row names something that exists.
// - Every link to a file of this repository leads somewhere.
// - A page that is broken on purpose (__test__/fixtures/broken-page.md) is reported as it should be, so
//   that this script cannot pass by seeing nothing.
//
// How to write a block:
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

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brokenLinks } from './check-docs-links.mjs'
import { pageNames, readPage } from './check-docs-pages.mjs'
import { runPrograms } from './check-docs-programs.mjs'
import { makeProject, ROOT } from './check-docs-project.mjs'
import { tableModules } from './check-docs-tables.mjs'

const BROKEN = '__test__/fixtures/broken-page.md'

const names = await pageNames(ROOT)
const pages = await Promise.all([...names, BROKEN].map((name) => readPage(ROOT, name)))
const blocks = pages.flatMap((page) => page.blocks)

const project = await makeProject()
const problems = pages.flatMap((page) => page.problems)
try {
  const modules = [...blocks, ...tableModules(pages)]
  problems.push(...(await project.compile(modules)))
  problems.push(...(await runPrograms(project.directory, blocks)))
  problems.push(...(await brokenLinks(ROOT, pages)))
} finally {
  await project.remove()
}

const seen = problems.filter(({ page }) => page === BROKEN)
const others = problems.filter(({ page }) => page !== BROKEN)
const blind = await blindSpots(seen)

for (const { page, line, text } of others) console.error(`${page}:${line}: ${text}`)
for (const each of blind) console.error(`${BROKEN}: ${each}`)
const programs = blocks.filter((block) => block.runs).length
console.log(`${names.length} pages, ${blocks.length} TypeScript blocks, ${programs} of them run`)
console.log(`${others.length + blind.length} problems`)
process.exitCode = others.length + blind.length > 0 ? 1 : 0

/** The problems that the broken page has, and that were not found; and those found that it does not have. */
async function blindSpots(found) {
  const text = await readFile(join(ROOT, BROKEN), 'utf8')
  const list = /<!-- problems\n([\s\S]*?)-->/.exec(text)?.[1] ?? ''
  const expected = [...list.matchAll(/^(\d+): (.+)$/gm)].map(([, line, part]) => ({ line, part }))
  const left = [...found]
  const missed = expected.filter(({ line, part }) => {
    const at = left.findIndex((each) => each.line === Number(line) && each.text.includes(part))
    if (at !== -1) left.splice(at, 1)
    return at === -1
  })
  return [
    ...(expected.length === 0 ? ['has no list of its problems'] : []),
    ...missed.map(({ line, part }) => `the checker did not report line ${line}: ${part}`),
    ...left.map(({ line, text }) => `the checker reported line ${line} for no reason: ${text}`),
  ]
}
