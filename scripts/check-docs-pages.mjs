// Reads a page: its TypeScript blocks, with the code that readers do not see around them.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const FENCE = /^(\s*(?:[-*] +)?)(`{3,})\s*([^`]*)$/
const COMMENT = /^\s*<!-- (with|then):(.*)$/
const MODE = /^(run|compiled)(?: (\d+)s)?$/
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
 * A page: its prose, its TypeScript blocks and what is wrong with its form. Each line of prose and of a
 * block has its text and its number on the page. A block's lines include those of the comments around it.
 */
export async function readPage(root, name) {
  const page = new PageReader(name, await readFile(join(root, name), 'utf8'))
  page.read()
  return page
}

class PageReader {
  prose = []
  blocks = []
  problems = []
  /** The line that is read next, counted from 0. */
  #at = 0
  /** The code of a `with` comment, until its block comes. */
  #context

  constructor(name, text) {
    this.name = name
    this.lines = text.split('\n')
  }

  read() {
    while (this.#at < this.lines.length) {
      const text = this.lines[this.#at]
      const [, kind, first] = COMMENT.exec(text) ?? []
      const [, indent, ticks, info] = FENCE.exec(text) ?? []
      if (kind !== undefined) this.#readComment(kind, first)
      else if (ticks !== undefined) this.#readBlock(indent, ticks, info.trim())
      else this.#readProse(text)
    }
    this.#expectNoContext()
  }

  #problem(line, text) {
    this.problems.push({ page: this.name, line, text })
  }

  #readProse(text) {
    if (text.trim() !== '') this.#expectNoContext()
    this.prose.push({ text, line: ++this.#at })
  }

  /** A `with` comment that was read belongs to the next block, and to nothing else. */
  #expectNoContext() {
    if (this.#context === undefined) return
    this.#problem(this.#context[0].line, 'nothing but a TypeScript block may come after `with`')
    this.#context = undefined
  }

  /** A comment is on one line, or ends with a line of its own. */
  #readComment(kind, first) {
    const start = this.#at + 1
    const code = []
    let text = first
    while (text !== undefined && !text.includes('-->')) {
      code.push({ text, line: this.#at + 1 })
      text = this.lines[++this.#at]
    }
    if (text === undefined) this.#problem(start, 'this comment has no end')
    else code.push({ text: text.replace(/-->.*/, ''), line: ++this.#at })
    this.#expectNoContext()
    if (kind === 'with') this.#context = code
    else this.#addAfter(code)
  }

  /** Adds the code of a `then` comment to the block above. */
  #addAfter(code) {
    const [{ line }] = code
    const block = this.blocks.at(-1)
    const between = this.lines.slice(block?.end ?? 0, line - 1)
    if (block === undefined || between.some((each) => each.trim() !== ''))
      this.#problem(line, 'nothing but a TypeScript block may come before `then`')
    else block.lines.push(...code)
  }

  #readBlock(indent, ticks, info) {
    const line = this.#at + 1
    const code = []
    const end = new RegExp(`^\\s*${ticks}\\s*$`)
    for (this.#at++; !end.test(this.lines[this.#at] ?? ticks); this.#at++) {
      const text = this.lines[this.#at]
      const isIndented = text.slice(0, indent.length).trim() === ''
      code.push({ text: isIndented ? text.slice(indent.length) : text, line: this.#at + 1 })
    }
    if (++this.#at > this.lines.length) {
      this.#problem(line, 'this block has no end')
      return
    }
    const [language, ...mode] = info.split(/\s+/)
    if (UNCHECKED.test(language))
      this.#problem(line, `nothing checks a block of ${language}: use ts`)
    if (language === 'ts') this.#addBlock(line, mode.join(' '), code)
    else this.#expectNoContext()
  }

  #addBlock(line, mode, code) {
    const [, how, seconds = SECONDS] = MODE.exec(mode) ?? []
    if (mode !== '' && how === undefined) this.#problem(line, `unknown: ${mode}`)
    // What needs no context is a program.
    if (mode === '' && this.#context === undefined)
      this.#problem(line, 'a whole program has to run')
    this.blocks.push({
      page: this.name,
      line,
      /** The number of its last line. */
      end: this.#at,
      runs: how === 'run',
      seconds: Number(seconds),
      lines: [...(this.#context ?? []), ...code],
    })
    this.#context = undefined
  }
}
