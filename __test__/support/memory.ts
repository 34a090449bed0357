/** Waits until memory is free. */

import { turns } from './turns.js'

/** Collections after which something is not garbage. The engine frees some of it in the background. */
const PATIENCE = 200

/** Collects garbage. The specs run with `--expose-gc`. */
async function collectGarbage(): Promise<void> {
  // A weak reference that was looked at holds its object for the rest of the turn.
  await turns(1)
  globalThis.gc?.()
  await turns(1)
}

/** Waits until the object is freed. Throws if something holds it. */
export async function freed(object: WeakRef<object>): Promise<void> {
  for (let count = 0; object.deref() !== undefined; count++) {
    if (count === PATIENCE) throw new Error('something holds the object')
    await collectGarbage()
  }
}

/** Waits until no more than `bytes` are in array buffers. Throws if something holds more. */
export async function arrayBuffersUpTo(bytes: number): Promise<void> {
  for (let count = 0; process.memoryUsage().arrayBuffers > bytes; count++) {
    const { arrayBuffers } = process.memoryUsage()
    if (count === PATIENCE) throw new Error(`${arrayBuffers} bytes are held, over ${bytes}`)
    await collectGarbage()
  }
}

/** Returns how many bytes are in array buffers that are in use. */
export async function arrayBuffers(): Promise<number> {
  await collectGarbage()
  await collectGarbage()
  return process.memoryUsage().arrayBuffers
}

/** Waits until the process has no more than `bytes` in memory. Throws if it keeps more. */
export async function residentUpTo(bytes: number): Promise<void> {
  for (let count = 0; process.memoryUsage.rss() > bytes; count++) {
    const resident = process.memoryUsage.rss()
    if (count === PATIENCE) throw new Error(`${resident} bytes are resident, over ${bytes}`)
    await collectGarbage()
  }
}
