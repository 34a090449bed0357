/** Files and connections that send them. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'

/** The path of a file with that content, which is removed when the test ends. */
export function fileOf(t: ExecutionContext, body: Buffer | string): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-file-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'file')
  writeFileSync(path, body)
  return path
}
