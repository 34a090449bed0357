// Runs the blocks that are whole programs, and compares what they print with what they say they print.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PRINTS = /\/\/ prints: (.*?)\s*$/
const AT_ONCE = 2
const START = fileURLToPath(new URL('start.mjs', import.meta.url))
const NODE = [process.execPath, START]

/** Runs them by `command` in `directory`, where they find the package; what is wrong with them. */
export async function runPrograms(directory, blocks, command = NODE) {
  const waiting = blocks.filter((block) => block.runs)
  const problems = []
  const work = async () => {
    for (let block = waiting.shift(); block !== undefined; block = waiting.shift()) {
      const text = await run(directory, block, command)
      if (text !== undefined) problems.push({ page: block.page, line: block.line, text })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return problems
}

/** What is wrong with one program, if anything is. */
async function run(directory, { page, line, lines, seconds }, [program, ...args]) {
  const expected = lines.flatMap(({ text }) => PRINTS.exec(text)?.[1] ?? [])
  if (expected.length === 0) return 'a program has to say what it prints: // prints: …'
  const file = join(directory, `run-${page.replace(/\W+/g, '-')}-${line}.ts`)
  // Nothing on a page may depend on a port that is free.
  const source = lines.map(({ text }) => text.replace(/\b90\d\d\b/g, '0')).join('\n')
  await writeFile(file, source)
  const child = spawn(program, [...args, file], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: seconds * 1000,
    killSignal: 'SIGKILL',
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const [code, signal] = await once(child, 'close')
  if (signal !== null) return `did not end within ${seconds} s\n${stdout}${stderr}`
  if (code !== 0) return `ended with ${code}\n${stdout}${stderr}`
  return difference(expected, stdout.split('\n').slice(0, -1))
}

/** How the lines that were printed differ from what was expected; both in any order. */
function difference(expected, printed) {
  const left = [...printed]
  const missing = expected.filter((pattern) => {
    const matches = matcher(pattern)
    const at = left.findIndex((each) => matches.test(each))
    if (at !== -1) left.splice(at, 1)
    return at === -1
  })
  if (missing.length === 0 && left.length === 0) return undefined
  return [
    'does not print what it says',
    ...missing.map((each) => `  missing: ${each}`),
    ...left.map((each) => `  printed: ${each}`),
  ].join('\n')
}

/** `…` stands for any text, and a port that became 0 for any number. */
function matcher(pattern) {
  const parts = pattern.split(/(…|\b90\d\d\b)/).map((part) => {
    if (part === '…') return '.*'
    return /^90\d\d$/.test(part) ? '\\d+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('')}$`)
}
