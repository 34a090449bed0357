// Reads the TypeScript blocks of docstrings, and adds the code that readers do not see around them.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const DOCSTRING = /^[ \t]*\/\*\*[\s\S]*?\*\//gm
const FENCE = /^\s*```\s*(.*)$/
/** The beginnings of declarations: as far as they can have names of their own. */
const DECLARATIONS =
  /^import\b[^'"]*|^(?:export )?(?:const|let|function|class|interface|type)\b[^=:(<\n]*/gm
const EXPORTS = /^export (type )?\{([^}]*)\}/gm

/** What examples may use without declaring it, besides the exports of the package. */
const CONTEXT = {
  assert: `import assert from 'node:assert/strict'`,
  client: 'declare const client: Client',
  conn: 'declare const conn: Conn',
  message: 'declare const message: Uint8Array',
  room: 'declare const room: Set<Conn>',
  server: 'declare const server: Server',
  socket: 'declare const socket: DatagramSocket',
}

/** The sources whose docstrings are checked. */
export async function sourceNames(root) {
  const lib = await readdir(join(root, 'lib'), { recursive: true })
  const sources = lib.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
  return ['index.ts', ...sources.map((name) => join('lib', name))].sort()
}

/** The blocks of each source's docstrings, in the form of those of a page, and what is wrong with their form. */
export async function readSources(root, names) {
  const exports = exportsOf(await readFile(join(root, 'index.ts'), 'utf8'))
  return Promise.all(
    names.map(async (name) => readSource(name, await readFile(join(root, name), 'utf8'), exports)),
  )
}

function readSource(name, text, exports) {
  const page = { name, blocks: [], problems: [] }
  for (const { 0: docstring, index } of text.matchAll(DOCSTRING)) {
    const first = text.slice(0, index).split('\n').length
    const lines = docstring.split('\n').map((line, at) => ({
      text: line.replace(/^\s*(?:\/\*\*|\*(?!\/)) ?/, '').replace(/\s*\*\/$/, ''),
      line: first + at,
    }))
    readDocstring(page, lines, exports)
  }
  return page
}

function readDocstring(page, lines, exports) {
  const problem = (line, text) => page.problems.push({ page: page.name, line, text })
  for (let at = 0; at < lines.length; at++) {
    const { text, line } = lines[at]
    if (/^@example\b/.test(text) && !FENCE.test(lines[at + 1]?.text))
      problem(line, 'a block has to come after `@example`')
    const [, language] = FENCE.exec(text) ?? []
    if (language === undefined) continue
    const length = lines.slice(at + 1).findIndex(({ text }) => text.trim() === '```')
    if (length === -1) {
      problem(line, 'this block has no end')
      return
    }
    const code = lines.slice(at + 1, at + 1 + length)
    at += length + 1
    if (language !== 'ts') problem(line, `a block of a docstring is ts, not ${language || 'text'}`)
    else
      page.blocks.push({ page: page.name, line, lines: [...prelude(code, line, exports), ...code] })
  }
}

/** Declares what there is for examples, except for the names that this one declares or imports itself. */
function prelude(code, line, exports) {
  const declarations =
    code
      .map(({ text }) => text)
      .join('\n')
      .match(DECLARATIONS) ?? []
  const own = new Set(declarations.flatMap((text) => text.match(/\w+/g)))
  const names = exports.filter((each) => !own.has(each.name)).map(({ specifier }) => specifier)
  const context = Object.entries(CONTEXT).filter(([name]) => !own.has(name))
  const texts = [
    `import { ${names.join(', ')} } from 'millrace'`,
    ...context.map(([, text]) => text),
  ]
  return texts.map((text) => ({ text, line }))
}

/** The names that index.ts exports, each as an import has to write it. */
function exportsOf(index) {
  return [...index.matchAll(EXPORTS)].flatMap(([, type = '', list]) =>
    list.match(/(?:type )?\w+/g).map((each) => ({
      name: each.replace('type ', ''),
      specifier: `${type}${each}`,
    })),
  )
}
