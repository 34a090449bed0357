// Runs a TypeScript program: `npm start` runs the echo example with it.
//
//   node scripts/start.mjs examples/redis/main.ts

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { typescriptArguments } from './typescript.mjs'

const child = spawn(process.execPath, [...typescriptArguments(), ...process.argv.slice(2)], {
  stdio: 'inherit',
})
// A terminal sends Ctrl-C to both processes; anything else sends signals to this one only.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => child.kill('SIGTERM'))
child.once('exit', (code, signal) => {
  process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
})
