/** How much received input may wait while nobody takes it. */

/** The most frames, or datagrams, that may wait. */
export const MAX_PARKED_ITEMS = 1024

/** What waits: frames, pieces of a raw stream, or datagrams. */
export interface Parked {
  readonly bytes: number
  readonly count: number
}

/** It is too much once it reaches either number. */
export interface ParkedLimit {
  readonly bytes: number
  readonly items: number
}

/** Whether the limit is reached, so that receiving should stop. */
export function isFull(parked: Parked, limit: ParkedLimit): boolean {
  return parked.bytes >= limit.bytes || parked.count >= limit.items
}

/** Whether at most half of the limit is in use, so that receiving may go on. */
export function isLow(parked: Parked, limit: ParkedLimit): boolean {
  return parked.bytes <= limit.bytes / 2 && parked.count <= limit.items / 2
}
