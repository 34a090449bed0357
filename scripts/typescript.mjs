// Lets Node run the TypeScript of specs, fixtures and examples, without a word on stderr:
//
//   node --import ./scripts/typescript.mjs some.ts
//
// From 24 on, Node strips types by itself and knows `await using`, and what is left to do is to find `x.ts` where
// `./x.js` is imported, as TypeScript does. Older versions need a loader; on Node 26, that loader causes a warning on
// stderr (DEP0205). Bun needs neither.

import { existsSync } from 'node:fs'
import * as modules from 'node:module'
import { fileURLToPath } from 'node:url'

if (Number.parseInt(process.versions.node, 10) >= 24) modules.registerHooks?.({ resolve })
else await import('@oxc-node/core/register')

function resolve(specifier, context, next) {
  return next(sourceOf(specifier, context.parentURL) ?? specifier, context)
}

/** The URL of `x.ts`, if TypeScript imports `./x.js` and only `x.ts` is there. */
function sourceOf(specifier, parent) {
  if (!parent?.endsWith('.ts') || !/^\.\.?\/.*\.js$/.test(specifier)) return undefined
  const compiled = new URL(specifier, parent)
  const source = new URL(specifier.replace(/js$/, 'ts'), parent)
  const isSource = !existsSync(fileURLToPath(compiled)) && existsSync(fileURLToPath(source))
  return isSource ? source.href : undefined
}
