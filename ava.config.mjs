// Each spec file has a process of its own: a native module is loaded fresh, and a crash is one file's.
export default {
  extensions: { ts: 'module' },
  files: ['__test__/**/*.spec.ts'],
  nodeArguments: ['--import', '@oxc-node/core/register', '--expose-gc'],
  workerThreads: false,
  concurrency: 2,
  timeout: '2m',
}
