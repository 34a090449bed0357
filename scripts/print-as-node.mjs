// Runs a program on Bun or Deno with a `console.log` that prints objects as Node does:
//
//   bun scripts/print-as-node.mjs some.ts

import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { format } from 'node:util'

console.log = (...values) => void process.stdout.write(`${format(...values)}\n`)
await import(pathToFileURL(resolve(process.argv[2])).href)
