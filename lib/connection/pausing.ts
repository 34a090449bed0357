/** Stops and resumes the reading of a connection. */

import { connPiped } from '../native/close-error.js'
import { KIND_PAUSE, KIND_RESUME } from '../native/record.js'
import type { ParkedLimit } from '../util/parked-limit.js'
import type { ConnImpl } from './conn-impl.js'
import {
  CLOSED,
  CLOSING,
  DESTROYED,
  EOF,
  FULL,
  HELD,
  PAUSED,
  READING_STOPPED,
  SWITCHING,
  TAKEN,
} from './flags.js'
import { sendControl } from './send-control.js'

/** See `Conn.pause`. */
export function pause(conn: ConnImpl): void {
  if (conn.flags & (PAUSED | DESTROYED | CLOSED)) return
  if (conn.flags & TAKEN) throw connPiped()
  conn.flags |= PAUSED
  stopReading(conn)
}

/** See `Conn.resume`. */
export function resume(conn: ConnImpl): void {
  if (!(conn.flags & PAUSED)) return
  conn.flags &= ~PAUSED
  if (conn.flags & (DESTROYED | CLOSED)) return
  conn.eventLoop.environment.pump.resume(conn)
}

/** Goes on with what was kept while the connection was `HELD` or `FULL`, whichever is in `flags`. */
export function release(conn: ConnImpl, flags: number): void {
  conn.flags &= ~flags
  if (conn.flags & (READING_STOPPED | EOF) || conn.cold?.hasParked === true)
    conn.eventLoop.environment.pump.resume(conn)
}

/**
 * How much may be parked: little behind a switch. What is parked goes back when the framing changes again, so a user who
 * changes it at each message would pay for all that the peer has sent ahead each time.
 */
export function parkedLimit({ cold, profile }: ConnImpl): ParkedLimit {
  const items = cold?.fewParked
  return items === undefined ? profile.maxParked : { bytes: profile.maxParked.bytes, items }
}

/** Tells the loop to stop reading. */
export function stopReading(conn: ConnImpl): void {
  if (conn.flags & (READING_STOPPED | EOF | DESTROYED | CLOSED)) return
  conn.flags |= READING_STOPPED
  sendControl(conn, KIND_PAUSE)
}

/** Tells the loop to read on. */
export function resumeReading(conn: ConnImpl): void {
  if (!(conn.flags & READING_STOPPED)) return
  conn.flags &= ~READING_STOPPED
  if (!(conn.flags & (DESTROYED | CLOSED))) sendControl(conn, KIND_RESUME)
}

/** Tells whether a message may be delivered now. */
export function takesMessages(conn: ConnImpl): boolean {
  return !(conn.flags & (PAUSED | HELD | FULL | TAKEN | SWITCHING)) && takesInput(conn)
}

/** Tells whether received input is still wanted. */
export function takesInput(conn: ConnImpl): boolean {
  return !(conn.flags & (CLOSING | DESTROYED | CLOSED))
}
