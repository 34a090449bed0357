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
  // A run in which nothing ends for so long names what it waited for, and stops. `t.timeout(n)` switches that off for
  // everything that runs within n ms of it, so that only a spec for a release may call it.
  timeout: '2m',
}
