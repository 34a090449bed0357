// Each spec file has a process of its own: a native module is loaded fresh, and a crash is one file's.
export default {
  extensions: { ts: 'module' },
  files: ['__test__/**/*.spec.ts'],
  nodeArguments: [
    '--import',
    new URL('scripts/typescript.mjs', import.meta.url).href,
    '--expose-gc',
  ],
  workerThreads: false,
  concurrency: 2,
  // If no test ends for so long, the run names those that hang, and stops. For n ms after a `t.timeout(n)` it does not, so
  // that only tests for a release may call that.
  timeout: '2m',
}
