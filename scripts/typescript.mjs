// How this Node runs TypeScript: by itself from 22.18 on, through the development loader before that.

/** Node's arguments that come before the name of a TypeScript file. */
export function typescriptArguments() {
  if (process.features.typescript) return []
  return ['--import', import.meta.resolve('@oxc-node/core/register')]
}
