/** Waits until memory is free. */

import v8 from 'node:v8'
import vm from 'node:vm'
import { turns } from './turns.js'

let collect: (() => void) | undefined

/** Collects garbage, and lets the engine finish what it frees in the background. */
async function collectGarbage(): Promise<void> {
  v8.setFlagsFromString('--expose-gc')
  collect ??= vm.runInNewContext('gc') as () => void
  // A weak reference that was looked at holds its object for the rest of the turn.
  await turns(1)
  collect()
  await turns(1)
}

/** Waits until the object is freed. Does not return if something holds it. */
export async function freed(object: WeakRef<object>): Promise<void> {
  while (object.deref() !== undefined) await collectGarbage()
}

/** Waits until no more than `bytes` are in array buffers. Does not return if something holds more. */
export async function arrayBuffersUpTo(bytes: number): Promise<void> {
  while (process.memoryUsage().arrayBuffers > bytes) await collectGarbage()
}

/** Returns how many bytes are in array buffers that are in use. */
export async function arrayBuffers(): Promise<number> {
  await collectGarbage()
  await collectGarbage()
  return process.memoryUsage().arrayBuffers
}
