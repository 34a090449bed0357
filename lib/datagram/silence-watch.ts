/** Limits in time of a connected datagram socket: how long its peer, or both sides, may be silent. */

import type { Timeouts } from '../connection/timeouts.js'
import { invalidOption, MillraceError } from '../errors.js'
import { callHandler } from '../util/call-handler.js'
import { checkNames, whole } from '../util/checks.js'
import { clearTimeout, now, setTimeout } from '../util/timers.js'
import type { DatagramSocketImpl } from './datagram-socket-impl.js'

/** The limits that a connected datagram socket can have, in milliseconds. */
export type SilenceLimits = Pick<Timeouts, 'idle' | 'receive'>

/** The handler `idle`, whatever the messages are. */
type IdleHandler = ((socket: DatagramSocketImpl) => unknown) | undefined

const NAMES: ReadonlySet<string> = new Set(['idle', 'receive'])

/**
 * The times of one socket, which are looked at when the first of them may have ended and not with every
 * datagram.
 */
export class SilenceWatch {
  readonly #idle: number
  readonly #receive: number
  readonly #handler: IdleHandler
  /** When something was received last, and when something was sent or received, as `performance.now()`. */
  #receivedAt = 0
  #movedAt = 0
  #timer: NodeJS.Timeout | undefined

  /** @throws `ERR_INVALID_OPTION` */
  constructor(limits: SilenceLimits | undefined, handler: unknown) {
    if (limits !== undefined) checkNames(limits, NAMES, ' among the timeouts of a datagram socket')
    this.#idle = whole('timeouts.idle', limits?.idle, 0, 0)
    this.#receive = whole('timeouts.receive', limits?.receive, 0, 0)
    if (handler !== undefined && typeof handler !== 'function')
      throw invalidOption('idle', 'a function', handler)
    this.#handler = handler as IdleHandler
  }

  /** Whether there is no limit. */
  get isEmpty(): boolean {
    return this.#idle === 0 && this.#receive === 0
  }

  /** Begins all times, or begins them again after the input was held back. */
  begin(socket: DatagramSocketImpl): void {
    this.received()
    this.#lookInScope(socket)
  }

  received(): void {
    this.#movedAt = now()
    this.#receivedAt = this.#movedAt
  }

  sent(): void {
    this.#movedAt = now()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** Whoever begins the times, or lets the socket go on, has a context of its own. */
  #lookInScope(socket: DatagramSocketImpl): void {
    socket.scope.runInAsyncScope(this.#look, this, socket)
  }

  #look(socket: DatagramSocketImpl): void {
    clearTimeout(this.#timer)
    if (socket.isEnded) return
    // While nobody takes datagrams the peer is not to blame.
    if (socket.isPaused || (socket.isPulled && socket.pull === undefined)) this.received()
    const at = now()
    if (left(this.#receive, this.#receivedAt, at) <= 0) {
      const why = 'nothing was received for the time of timeouts.receive'
      socket.giveUp(new MillraceError('ERR_RECEIVE_TIMEOUT', why))
      return
    }
    if (left(this.#idle, this.#movedAt, at) <= 0) {
      if (this.#handler === undefined) {
        const why = 'nothing was sent or received for the time of timeouts.idle'
        socket.giveUp(new MillraceError('ERR_IDLE_TIMEOUT', why))
        return
      }
      this.#movedAt = at
      callHandler(
        () => this.#handler?.(socket),
        (error) => socket.report(error),
      )
      if (socket.isEnded) return
    }
    const wait = Math.min(
      left(this.#receive, this.#receivedAt, at),
      left(this.#idle, this.#movedAt, at),
    )
    // The socket keeps the process alive, unless the user does not want that.
    this.#timer = setTimeout(() => this.#lookInScope(socket), Math.ceil(wait)).unref()
  }
}

/** Returns how much is left of a time that began at `since`; forever without a limit. */
function left(limit: number, since: number, now: number): number {
  return limit === 0 ? Number.POSITIVE_INFINITY : since + limit - now
}
