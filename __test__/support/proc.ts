/** Threads and descriptors of this process: only Linux lists them. */

import { readdirSync, readFileSync } from 'node:fs'

/** Whether threads and descriptors can be counted here. */
export const CAN_COUNT: boolean = process.platform === 'linux'

/** The running threads of millrace in this process; empty where they cannot be counted. */
export function millraceThreads(): string[] {
  if (!CAN_COUNT) return []
  return readdirSync('/proc/self/task').flatMap((task) => {
    try {
      const name = readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim()
      return name.startsWith('millrace') ? [name] : []
    } catch {
      return [] // the thread ended in between
    }
  })
}

/** Open descriptors of this process; 0 where they cannot be counted. */
export function descriptors(): number {
  return CAN_COUNT ? readdirSync('/proc/self/fd').length : 0
}

/** How often to look: a thread has its name a moment late, and is listed a moment longer than it runs. */
const LOOKS = 10_000

/** The threads of millrace once there are `count`, or those found after many looks. */
export async function millraceThreadsOf(count: number): Promise<string[]> {
  let seen = millraceThreads()
  for (let look = 0; look < LOOKS && CAN_COUNT && seen.length !== count; look++) {
    await new Promise((resolve) => setImmediate(resolve))
    seen = millraceThreads()
  }
  // Return the list that was compared: in a new one, a thread that has just started may have its name.
  return seen
}
