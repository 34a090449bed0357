/** What this process has of the kernel's: only Linux tells. */

import { readdirSync, readFileSync } from 'node:fs'

/** Whether threads and descriptors can be counted here. */
export const CAN_COUNT: boolean = process.platform === 'linux'

/** Threads of millrace that run in this process; none where they cannot be counted. */
export function millraceThreads(): string[] {
  if (!CAN_COUNT) return []
  return readdirSync('/proc/self/task').flatMap((task) => {
    try {
      const name = readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim()
      return name.startsWith('millrace') ? [name] : []
    } catch {
      return [] // it ended in between
    }
  })
}

/** Open descriptors of this process; 0 where they cannot be counted. */
export function descriptors(): number {
  return CAN_COUNT ? readdirSync('/proc/self/fd').length : 0
}

/** Looks, while there are others: a thread names itself, and is listed a moment longer than it runs. */
const LOOKS = 10_000

/** The threads of millrace once there are `count`, or as they are after many looks. */
export async function millraceThreadsOf(count: number): Promise<string[]> {
  let seen = millraceThreads()
  for (let look = 0; look < LOOKS && CAN_COUNT && seen.length !== count; look++) {
    await new Promise((resolve) => setImmediate(resolve))
    seen = millraceThreads()
  }
  // What was compared, not another look: a thread that was started just now may have its name by then.
  return seen
}
