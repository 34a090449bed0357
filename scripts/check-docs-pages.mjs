// Reads a page: its TypeScript blocks, with the code that readers do not see around them.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const FENCE = /^(\s*(?:[-*] +)?)(`{3,})\s*([^`]*)$/
const COMMENT = /^\s*<!-- (with|then):(.*)$/
const UNCHECKED = /^(js|javascript|mjs|cjs|jsx|typescript|mts|cts|tsx)$/
const SECONDS = 20

/** The pages that are checked. */
export async function pageNames(root) {
  const folders = ['.', 'docs', 'benchmark']
  const found = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(join(root, folder))
      return names.filter((name) => name.endsWith('.md')).map((name) => join(folder, name))
    }),
  )
  const examples = await readdir(join(root, 'examples'), { recursive: true })
  const ofExamples = examples.filter((name) => name.endsWith('.md'))
  return [...found.flat(), ...ofExamples.map((name) => join('examples', name))].sort()
}

/**
 * A page: its prose, its TypeScript blocks and what is wrong with its form. A block has `lines`, each with
 * its text and its number on the page: those that readers see, and those of the comments around them.
 */
export async function readPage(root, name) {
  const text = await readFile(join(root, name), 'utf8')
  const lines = text.split('\n')
  const page = { name, lines, prose: [], blocks: [], problems: [] }
  const problem = (line, text) => page.problems.push({ page: name, line, text })
  let before
  for (let at = 0; at < lines.length; at++) {
    const [, kind, first] = COMMENT.exec(lines[at]) ?? []
    if (kind !== undefined) {
      const start = at
      const code = []
      // On one line, or on several up to the end of the comment.
      let rest = first
      while (!rest.includes('-->') && at + 1 < lines.length) {
        code.push({ text: rest, line: at + 1 })
        rest = lines[++at]
      }
      if (!rest.includes('-->')) problem(start + 1, 'this comment has no end')
      code.push({ text: rest.replace(/-->.*/, ''), line: at + 1 })
      if (kind === 'with') {
        before = { code, line: start + 1 }
      } else {
        const last = page.blocks.at(-1)
        if (
          last === undefined ||
          lines.slice(last.end + 1, start).some((each) => each.trim() !== '')
        )
          problem(start + 1, 'nothing but a TypeScript block may come before `then`')
        else last.lines.push(...code)
      }
      continue
    }
    const [, indent, ticks, info] = FENCE.exec(lines[at]) ?? []
    if (ticks === undefined) {
      page.prose.push({ text: lines[at], line: at + 1 })
      if (before !== undefined && lines[at].trim() !== '') {
        problem(before.line, 'nothing but a TypeScript block may come after `with`')
        before = undefined
      }
      continue
    }
    const start = at
    while (++at < lines.length && !new RegExp(`^\\s*${ticks}\\s*$`).test(lines[at]));
    if (at === lines.length) {
      problem(start + 1, 'this block has no end')
      break
    }
    const [language = '', ...words] = info.trim().split(/\s+/)
    if (UNCHECKED.test(language))
      problem(start + 1, `nothing checks a block of ${language}: use ts`)
    if (language === 'ts') {
      const [, how, seconds] = /^(run|compiled)(?: (\d+)s)?$/.exec(words.join(' ')) ?? []
      if (words.length > 0 && how === undefined) problem(start + 1, `unknown: ${words.join(' ')}`)
      // What needs no context is a program.
      if (words.length === 0 && before === undefined)
        problem(start + 1, 'a whole program has to run')
      const code = lines.slice(start + 1, at).map((each, index) => ({
        text: each.slice(0, indent.length).trim() === '' ? each.slice(indent.length) : each,
        line: start + 2 + index,
      }))
      page.blocks.push({
        page: name,
        line: start + 1,
        end: at,
        runs: how === 'run',
        seconds: Number(seconds ?? SECONDS),
        lines: [...(before?.code ?? []), ...code],
      })
    } else if (before !== undefined) {
      problem(before.line, 'nothing but a TypeScript block may come after `with`')
    }
    before = undefined
  }
  return page
}
