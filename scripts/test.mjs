// Runs the specs and counts the results: the last line is `N passed, N failed`.
//
//   npm test                                  all specs
//   npm test -- __test__/echo.spec.ts         some of them
//   MILLRACE_TEST_RING=4096 npm test          with rings so small that they wrap and fill all the time
//   MILLRACE_TEST_LOOPS=inline npm test       with the loop inside Node's loop (or a number of loops)
//   MILLRACE_TEST_TIMES=20 npm test           with 20 times as many inputs for properties (model-*.spec.ts)

import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const ava = createRequire(import.meta.url)
  .resolve('ava')
  .replace(/entrypoints.*/, 'entrypoints/cli.mjs')
const child = spawn(process.execPath, [ava, '--tap', ...process.argv.slice(2)], {
  stdio: ['inherit', 'pipe', 'inherit'],
})

const counts = { passed: 0, failed: 0, skipped: 0 }
for await (const line of createInterface({ input: child.stdout })) {
  console.log(line)
  if (/^not ok .*# TODO/.test(line) || /^ok .*# SKIP/.test(line)) counts.skipped++
  else if (line.startsWith('ok ')) counts.passed++
  else if (line.startsWith('not ok ')) counts.failed++
}
const code = await new Promise((resolve) => {
  if (child.exitCode !== null) resolve(child.exitCode)
  else child.once('exit', (status, signal) => resolve(status ?? `killed by ${signal}`))
})
// A run that was interrupted, or that ran nothing, has failed.
if (code !== 0 && counts.failed === 0) {
  console.log(`not ok - ava ended with ${code}, and some tests may have no result`)
  counts.failed++
}
if (counts.passed + counts.failed === 0) counts.failed++
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`)
process.exitCode = counts.failed > 0 ? 1 : 0
