// Follows the links of the docs that lead to files and headings of this repository.

import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const LINK = /\]\((?!\w+:)([^)\s]*)\)/g

/** Links that lead nowhere. */
export async function brokenLinks(root, pages) {
  const problems = []
  for (const { name, prose } of pages) {
    for (const { text, line } of prose) {
      for (const [, link] of text.matchAll(LINK)) {
        const [path, anchor] = link.split('#')
        const target = path === '' ? name : join(dirname(name), path)
        const why = await trouble(join(root, target), anchor)
        if (why !== undefined) problems.push({ page: name, line, text: `${link}: ${why}` })
      }
    }
  }
  return problems
}

async function trouble(file, anchor) {
  const found = await stat(file).catch(() => undefined)
  if (found === undefined) return 'there is no such file'
  if (anchor === undefined) return undefined
  const headings = (await readFile(file, 'utf8')).match(/^#+ .+$/gm) ?? []
  return headings.some((heading) => slug(heading) === anchor)
    ? undefined
    : 'there is no such heading'
}

/** The anchor that GitHub gives a heading. */
function slug(heading) {
  const text = heading.replace(/^#+ /, '').toLowerCase()
  return text.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-')
}
