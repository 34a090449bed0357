/**
 * Replaces the codec of a connection while it is open.
 *
 * Between raw codecs that is a matter of JavaScript alone. With another framing, the loop has to cut the stream
 * elsewhere, from the first byte on that was not dealt with:
 *
 * 1. `SWITCH` makes the loop stop. What it had delivered by then is parked here.
 * 2. `EOF` with the reason `SWITCHED` says that nothing more comes.
 * 3. What is parked goes back in `RETURN` records, in wire form. If the new framing is raw, it stays here.
 * 4. `FRAMING` names the framing, and the loop goes on.
 *
 * If `decode` has discarded bytes that have not come yet, step 1 waits for them: they are dropped as they come.
 *
 * Once the loop has closed the connection, it takes nothing back. What it had delivered by then is cut here.
 */

import { checkCodec } from '../codec/codec.js'
import type { Framing } from '../codec/framing.js'
import { encodeFraming } from '../codec/framing-record.js'
import { ownFraming, toNative } from '../codec/native-framing.js'
import { isSameFraming } from '../codec/same-framing.js'
import { MillraceError } from '../errors.js'
import { cutStream } from '../native/binding.js'
import { connPiped } from '../native/close-error.js'
import { KIND_FRAMING, KIND_RETURN, KIND_SWITCH } from '../native/record.js'
import { clearTimeout } from '../util/timers.js'
import type { ColdState } from './cold-state.js'
import type { ConnImpl } from './conn-impl.js'
import {
  CLOSED,
  CLOSING,
  DESTROYED,
  ENDING,
  EOF,
  INPUT_DONE,
  PULL_MODE,
  STREAM_BROKEN,
  SWITCHING,
  TAKEN,
  WATCHES_MESSAGES,
} from './flags.js'
import { passOnReceived } from './input-taker.js'
import { limitsOf } from './limits.js'
import { ParkedInput } from './parked-input.js'
import { deliverHeld, park } from './reading.js'
import { sendControl } from './send-control.js'
import { noteMessages } from './timed-out.js'

/** See `Conn.codec`. */
export function setCodec(conn: ConnImpl, assigned: unknown): void {
  if (conn.flags & TAKEN && !(conn.flags & CLOSED)) throw connPiped()
  const codec = checkCodec(assigned)
  const { framing } = conn.profile
  const isRaw = framing.kind === 'raw'
  if (!isRaw && conn.currentCodec.switchable !== true) throw notSwitchable(framing.kind)
  if (isRaw && codec.framing.kind === 'raw') {
    conn.currentCodec = codec
    offerUnread(conn)
    return
  }
  // Copied, because it is read again once the loop has stopped.
  const next = ownFraming(codec.framing)
  conn.currentCodec = codec
  if (!isSameFraming(framing, next)) changeFraming(conn, next)
}

function notSwitchable(kind: string): MillraceError {
  return new MillraceError(
    'ERR_INVALID_OPTION',
    `a codec with ${kind} framing can be replaced only if it has switchable: true`,
  )
}

/**
 * Lets the new codec look at what the last one has left unread. Not at once: a handler or a `decode` may be running, and
 * if that is in the middle of these bytes, it has them looked at itself.
 */
function offerUnread(conn: ConnImpl): void {
  const { cold } = conn
  if (cold?.unread === undefined || cold.unread.length === 0 || conn.flags & ENDING) return
  cold.isUnreadFresh = true
  if (conn.flags & INPUT_DONE) reopenInput(conn, INPUT_DONE)
  goOn(conn)
}

/** Delivers what is there, once the running code is finished. */
function goOn(conn: ConnImpl): void {
  if (conn.flags & PULL_MODE) conn.cold?.wakePull()
  else conn.eventLoop.environment.pump.resume(conn)
}

/**
 * The end of the input does not count any more, because the bytes before it become messages after all.
 *
 * @param flags what of the end does not count
 */
function reopenInput(conn: ConnImpl, flags: number): void {
  const { cold } = conn
  if (cold !== undefined) {
    if (conn.flags & STREAM_BROKEN) cold.error = undefined
    clearTimeout(cold.handlerTimer)
    cold.handlerTimer = undefined
  }
  conn.flags &= ~(flags | STREAM_BROKEN)
}

/** Goes on under another framing, which nobody can change. */
function changeFraming(conn: ConnImpl, framing: Framing): void {
  if (conn.flags & WATCHES_MESSAGES) {
    noteMessages(conn, false, false)
    conn.flags &= ~WATCHES_MESSAGES
  }
  conn.profile = conn.profile.withFraming(framing)
  const { frame, firstMessage } = limitsOf(conn)
  if (framing.kind === 'raw' && (frame > 0 || firstMessage > 0)) conn.flags |= WATCHES_MESSAGES
  if (conn.flags & (SWITCHING | CLOSING | DESTROYED) || isInputOver(conn)) return
  const cold = conn.coldState()
  cold.dropParked()
  if (conn.flags & CLOSED) {
    switchWithoutLoop(conn)
    return
  }
  const isDropping = cold.discards > 0
  // The stream has ended among the bytes that are to be dropped.
  if (isDropping && conn.flags & EOF) return
  if (conn.flags & EOF) reopenInput(conn, EOF | INPUT_DONE)
  cold.fewParked = 1
  parkBegunFrame(conn, cold)
  conn.flags |= SWITCHING
  if (!isDropping) sendControl(conn, KIND_SWITCH)
}

/** Parks what has come of a large frame. The rest of it follows as bytes. */
function parkBegunFrame(conn: ConnImpl, cold: ColdState): void {
  if (cold.frame === undefined) return
  park(conn, cold.frame, 0, cold.frameLength)
  cold.frame = undefined
}

/** Returns whether all input has come and was dealt with, so that only what is written changes. */
function isInputOver({ flags, cold }: ConnImpl): boolean {
  return (flags & INPUT_DONE) !== 0 && !(flags & STREAM_BROKEN) && (cold?.unread?.length ?? 0) === 0
}

/** The loop has delivered everything that it read before it heard of the switch. */
export function switchedByLoop(conn: ConnImpl): void {
  // A pipe or a stream may have taken the connection meanwhile.
  if (!(conn.flags & SWITCHING)) return
  conn.flags &= ~SWITCHING
  const { cold } = conn
  const { framing } = conn.profile
  if (cold !== undefined) cold.isUnreadFresh = framing.kind === 'raw'
  if (framing.kind !== 'raw') {
    passOnReceived(conn, (bytes) => conn.eventLoop.outbound.bytes(KIND_RETURN, conn, bytes))
    if (cold !== undefined) cold.parked = undefined
  } else if (cold?.parked !== undefined) {
    // A raw codec may see bytes again that it has left, so that it gets copies of them.
    const frames = cold.parked
    cold.parked = new ParkedInput(false)
    while (frames.take()) cold.parked.push(frames.memory, frames.at, frames.end)
  }
  sendControl(conn, KIND_FRAMING, encodeFraming(framing))
  goOn(conn)
}

/** The loop has closed the connection: delivers what had to wait for output, or for a switch that it has not answered. */
export function deliverLast(conn: ConnImpl): void {
  deliverHeld(conn)
  // Each message may choose another framing.
  while (conn.flags & SWITCHING) {
    switchWithoutLoop(conn)
    deliverHeld(conn)
  }
}

/** Cuts what the loop had delivered as the framing says that was chosen. No more follows, and the loop takes nothing back. */
function switchWithoutLoop(conn: ConnImpl): void {
  conn.flags &= ~SWITCHING
  const { cold } = conn
  if (cold === undefined) return
  parkBegunFrame(conn, cold)
  const { framing, frameShape } = conn.profile
  const parked = new ParkedInput(frameShape !== undefined)
  if (frameShape === undefined) {
    passOnReceived(conn, (bytes) => parked.push(bytes, 0, bytes.length))
  } else {
    const pieces: Buffer[] = []
    // Copied, because the pieces share memory.
    passOnReceived(conn, (bytes) => pieces.push(Buffer.from(bytes)))
    const bytes = Buffer.concat(pieces)
    let at = 0
    for (const body of cutStream(toNative(framing), [bytes]).frames) {
      const end = frameShape.frameEnd(bytes, at, body.length)
      parked.push(bytes, at, end)
      at = end
    }
    // The beginning of a frame: under a third framing it may be whole frames.
    if (at < bytes.length) {
      cold.frame = bytes.subarray(at)
      cold.frameLength = bytes.length - at
    }
  }
  cold.parked = parked
}
