/** Limits in time of connections: the options, their checks, and how they cross to a loop. */

import type { TimeoutsInit } from '../native/binding.js'
import {
  TIMEOUTS_FIRST_MESSAGE,
  TIMEOUTS_FRAME,
  TIMEOUTS_IDLE,
  TIMEOUTS_MAX_LIFETIME,
  TIMEOUTS_RECEIVE,
  TIMEOUTS_TIMEOUTS_SIZE,
  TIMEOUTS_WRITE,
} from '../native/record.js'
import { checkNames, whole } from '../util/checks.js'

/**
 * Limits in time of a connection, in milliseconds. 0 is no limit, which is the default of each.
 *
 * `idle`, `receive`, `firstMessage` and `frame` stand still while this side does not read: while the
 * connection is paused, while `autoPause` or `maxParked` stops it, and while the loop's ring is full. `idle` and
 * `receive` stand still, too, while nobody pulls from a connection without a `message` handler.
 *
 * @example
 * ```ts
 * await serve({
 *   listen: 9000,
 *   timeouts: { firstMessage: 10_000, frame: 30_000, idle: 300_000, write: 60_000 },
 *   message: (conn, chunk) => conn.write(chunk),
 * })
 * ```
 */
export interface Timeouts {
  /**
   * How long no byte may move in either direction. Then the handler `idle` runs, and the time begins again;
   * without that handler the connection closes with `ERR_IDLE_TIMEOUT`.
   */
  idle?: number | undefined
  /**
   * How long nothing may be received, whatever is sent. Then the connection closes with `ERR_RECEIVE_TIMEOUT`.
   * MQTT asks for one and a half times the keep-alive of the client.
   */
  receive?: number | undefined
  /**
   * How long a new connection may take to send its first whole message. Then it closes with
   * `ERR_FIRST_MESSAGE_TIMEOUT`.
   */
  firstMessage?: number | undefined
  /**
   * How long a message may take from its first byte to its last. Then the connection closes with
   * `ERR_FRAME_TIMEOUT`, however steadily bytes arrive.
   */
  frame?: number | undefined
  /**
   * How long output may wait without the kernel taking any of it, because the peer does not read. Then the
   * connection closes with `ERR_WRITE_TIMEOUT`.
   */
  write?: number | undefined
  /**
   * How long handlers may take after the peer's FIN was delivered, until all of their promises have settled. Then
   * what is written is sent, and the connection closes with `ERR_HANDLER_TIMEOUT`.
   */
  handler?: number | undefined
  /**
   * How old a connection may become, so that clients behind a load balancer spread again. Each connection gets up to
   * a tenth more, at random. What was received by then is delivered and answered, as when a server closes;
   * then the connection closes with `ERR_MAX_LIFETIME`.
   */
  maxLifetime?: number | undefined
}

/**
 * The limits in time that an open connection can be given: all but `firstMessage`, which begins when it opens.
 *
 * @example
 * ```ts
 * const keepAlive = (seconds: number): LiveTimeouts => ({ receive: seconds * 1500 })
 * ```
 */
export type LiveTimeouts = Omit<Timeouts, 'firstMessage'>

/** All limits, checked. */
export type TimeoutSettings = { readonly [Name in keyof Timeouts]-?: number }

/** No limits, as most connections have. */
const NONE: TimeoutSettings = {
  idle: 0,
  receive: 0,
  firstMessage: 0,
  frame: 0,
  write: 0,
  handler: 0,
  maxLifetime: 0,
}

const NAMES = Object.keys(NONE) as readonly (keyof Timeouts)[]
const ALL: ReadonlySet<string> = new Set(NAMES)
const LIVE: ReadonlySet<string> = new Set(NAMES.filter((name) => name !== 'firstMessage'))

/** In a record, a limit that stays as it is. */
const UNCHANGED = 0xffff_ffff

/**
 * Checks and completes the option `timeouts`.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function checkTimeouts(timeouts: Timeouts | undefined): TimeoutSettings {
  return timeouts === undefined ? NONE : { ...NONE, ...checked(timeouts, ALL) }
}

/**
 * Checks the limits that `setTimeouts` was given. Those that are not given are missing in the result.
 *
 * @throws `ERR_INVALID_OPTION`
 */
export function checkLiveTimeouts(timeouts: LiveTimeouts): Partial<TimeoutSettings> {
  return checked(timeouts, LIVE)
}

function checked(timeouts: Timeouts, names: ReadonlySet<string>): Partial<TimeoutSettings> {
  checkNames(timeouts, names, ' among the timeouts')
  const result: { [Name in keyof Timeouts]?: number } = {}
  for (const name of NAMES) {
    const time = timeouts[name]
    if (time !== undefined) result[name] = whole(`timeouts.${name}`, time, 0, 0)
  }
  return result
}

/** Converts limits to the form that the native half takes. */
export function toTimeoutsInit(limits: TimeoutSettings): TimeoutsInit {
  const { idle, receive, firstMessage, frame, write, maxLifetime } = limits
  return { idle, receive, firstMessage, frame, write, maxLifetime }
}

/** Makes the payload of a `TIMEOUTS` record. */
export function encodeTimeouts(limits: Partial<TimeoutSettings>): Buffer {
  const payload = Buffer.alloc(TIMEOUTS_TIMEOUTS_SIZE)
  const put = (at: number, limit: number | undefined) =>
    payload.writeUInt32LE(limit ?? UNCHANGED, at)
  put(TIMEOUTS_IDLE, limits.idle)
  put(TIMEOUTS_RECEIVE, limits.receive)
  put(TIMEOUTS_FIRST_MESSAGE, limits.firstMessage)
  put(TIMEOUTS_FRAME, limits.frame)
  put(TIMEOUTS_WRITE, limits.write)
  put(TIMEOUTS_MAX_LIFETIME, limits.maxLifetime)
  return payload
}
