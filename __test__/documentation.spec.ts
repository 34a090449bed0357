import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'

test('every error code has a heading in docs/errors.md, and every heading is a code', (t) => {
  const source = readFileSync(new URL('../lib/errors.ts', import.meta.url), 'utf8')
  const [union = ''] = source.split('type ErrorCode =')[1]?.split('\n\n') ?? []
  const codes = [...union.matchAll(/'(ERR_\w+)'/g)].map((match) => match[1])
  const docs = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8')
  const headings = [...docs.matchAll(/^## (ERR_\w+)$/gm)].map((match) => match[1])
  t.true(codes.length > 10)
  t.deepEqual(headings.sort(), codes.sort())
})

test('README links every page of docs', (t) => {
  const root = new URL('..', import.meta.url)
  const readme = readFileSync(new URL('README.md', root), 'utf8')
  const pages = readdirSync(new URL('docs', root)).filter((name) => name.endsWith('.md'))
  t.true(pages.length > 10)
  for (const page of pages) t.true(readme.includes(`(docs/${page})`), page)
})
