// Runs specs on the other versions of Node, and the programs of the documentation on Bun and Deno, whose binaries npm
// fetches. The last line is `N passed, N failed, N skipped`.
//
//   npm run test:runtimes                       the specs that depend on the runtime, and the programs
//   npm run test:runtimes -- node@26 deno       with some of the runtimes
//   npm run test:runtimes -- --all node@26      all specs
//   MILLRACE_MINUTES=5 npm run test:runtimes    after 5 minutes, no other runtime is begun
//
// Runtimes that are not begun, or cannot be fetched, are skipped, and the reason is told.

import { spawn } from 'node:child_process'
import { delimiter, dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { pageNames, readPage } from './check-docs-pages.mjs'
import { runPrograms } from './check-docs-programs.mjs'
import { makeProject, ROOT } from './check-docs-project.mjs'
import { fetchRuntime } from './runtimes.mjs'

/** Those that differ most come first, for runs that have little time. */
const RUNTIMES = ['node@26', 'bun', 'deno', 'node@24', 'node@22', 'node@20']
const MINUTES = Number(process.env.MILLRACE_MINUTES ?? 60)
const PRINT = fileURLToPath(new URL('print-as-node.mjs', import.meta.url))
const TEST = fileURLToPath(new URL('test.mjs', import.meta.url))

/** Specs of what versions of Node do differently: loading, ending, contexts, memory, timers, sockets and streams. */
const SPECS = [
  'async-context',
  'binary',
  'bytes-transfer',
  'descriptors',
  'echo',
  'ends-of-life',
  'environments',
  'example-echo',
  'inherited',
  'inspect',
  'loop-panic',
  'loops',
  'memory',
  'pull',
  'pull-context',
  'pump-goes-on',
  'reader',
  'replaced-timers',
  'ring-memory',
  'send-file',
  'throws',
  'to-duplex-http',
  'to-duplex-mqtt',
  'to-duplex-tls',
  'to-duplex-websocket',
  'unseen-mistakes',
].map((name) => `__test__/${name}.spec.ts`)

const isAll = process.argv.includes('--all')
const asked = process.argv.slice(2).filter((each) => each !== '--all')
const own = `node@${process.versions.node.split('.')[0]}`
// The other steps run all specs on this version.
const runtimes = asked.length > 0 ? asked : RUNTIMES.filter((each) => each !== own)
const end = performance.now() + MINUTES * 60_000
const counts = { passed: 0, failed: 0, skipped: 0 }

for (const runtime of runtimes) {
  console.log(`==> ${runtime}`)
  if (performance.now() > end) skip(`${MINUTES} minutes are over`)
  else await fetchRuntime(runtime).then((path) => run(runtime, path), skip)
}
const { passed, failed, skipped } = counts
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 || passed + skipped === 0 ? 1 : 0

function skip(reason) {
  console.log(`skipped: ${reason.message ?? reason}`)
  counts.skipped++
}

async function run(runtime, path) {
  if (runtime.startsWith('node')) await runSpecs(path)
  else await runDocs(runtime === 'deno' ? [path, 'run', '--allow-all', PRINT] : [path, PRINT])
}

/** Runs specs, and adds the counts of the last line. */
async function runSpecs(node) {
  const PATH = `${dirname(node)}${delimiter}${process.env.PATH}`
  const child = spawn(node, [TEST, ...(isAll ? [] : SPECS)], {
    cwd: ROOT,
    env: { ...process.env, PATH },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let last = ''
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line)
    last = line
  }
  const [, passed, failed, skipped] =
    /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(last) ?? []
  counts.passed += Number(passed ?? 0)
  counts.failed += Number(failed ?? 1)
  counts.skipped += Number(skipped ?? 0)
}

/** Runs the programs of README and docs with a command; each counts as one test. */
async function runDocs(command) {
  const pages = await Promise.all((await pageNames(ROOT)).map((name) => readPage(ROOT, name)))
  const programs = pages.flatMap((page) => page.blocks).filter((block) => block.runs)
  const project = await makeProject()
  const problems = await runPrograms(project.directory, programs, command).finally(project.remove)
  for (const { page, line } of programs) {
    const problem = problems.find((each) => each.page === page && each.line === line)
    console.log(`${problem ? 'not ok' : 'ok'} - ${page}:${line} ${problem?.text ?? ''}`.trim())
    counts[problem ? 'failed' : 'passed']++
  }
}
