/** The clients of Mosquitto, for MQTT. Debian's package is `mosquitto-clients`. */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { ExecutionContext } from 'ava'

/** Whether they are installed. */
export const HAS_MOSQUITTO: boolean = spawnSync('mosquitto_pub', ['--version']).error === undefined

/** How a client ended. */
export interface Ended {
  code: number | null
  stdout: Buffer
}

/** Runs `mosquitto_pub` or `mosquitto_sub` against a port of this machine, with `input` as its standard input. */
export function mosquitto(
  t: ExecutionContext,
  name: 'pub' | 'sub',
  port: number,
  args: readonly (string | number)[],
  input: Buffer | string = '',
): Promise<Ended> {
  const all = ['-h', '127.0.0.1', '-p', port, ...args].map(String)
  const child = spawn(`mosquitto_${name}`, all, { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return once(child, 'close').then(([code]) => ({ code, stdout: Buffer.concat(chunks) }))
}
