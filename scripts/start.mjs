// Runs a TypeScript program. `npm start` runs the echo example with it.
//
//   node scripts/start.mjs examples/redis/main.ts

import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const [program] = process.argv.slice(2)
if (program === undefined) throw new Error('which program? node scripts/start.mjs <file.ts>')
await import('./typescript.mjs')
await import(pathToFileURL(resolve(program)).href)
