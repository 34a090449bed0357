// Runs a TypeScript program: with Node's own type stripping from 22.18 on, with the development loader on
// older versions. `npm start` runs the echo example with it.
//
//   node scripts/start.mjs examples/redis/main.ts

import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const [program] = process.argv.slice(2)
if (program === undefined) throw new Error('which program? node scripts/start.mjs <file.ts>')
if (!process.features.typescript) await import('@oxc-node/core/register')
await import(pathToFileURL(resolve(program)).href)
