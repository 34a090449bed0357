/** The one implementation of `Conn`: two halves, and a life. */

import { formatEndpoint, readEndpoints } from '../address/endpoint.js'
import { type Codec, checkCodec } from '../codec/codec.js'
import { MillraceError } from '../errors.js'
import { bytesReceived } from '../native/binding.js'
import { CLOSE_RECEIVED } from '../native/record.js'
import type { Loop } from '../runtime/loop.js'
import type { SocketOptions } from '../socket/socket-options.js'
import { closeError } from './close-error.js'
import { unawaited } from './cold-state.js'
import type { Conn, ReadyState } from './conn.js'
import { CLOSED, DESTROYED, ENDED, FAILED, PULLED, UNREFED } from './flags.js'
import { change, changes, read } from './live-options.js'
import type { Profile } from './profile.js'
import { Reading } from './reading.js'
import { isThenable } from './writing.js'

/** See {@link Conn}. What it does not name is for the loop and the server. */
export class ConnImpl extends Reading implements Conn<unknown, unknown, unknown> {
  readonly id: number
  context: unknown = undefined
  readonly #ip: number | string
  readonly #port: number
  readonly #local: string
  /** Bytes received, once it is closed. */
  #received = 0

  constructor(
    loop: Loop,
    slot: number,
    generation: number,
    profile: Profile,
    view: DataView,
    at: number,
  ) {
    super(loop, slot, generation, profile)
    this.id = loop.environment.connId()
    const [remote, local] = readEndpoints(view, at)
    this.#ip = remote.ip
    this.#port = remote.port
    this.#local = profile.localText(local)
    if (profile.handlers.message === undefined) this.flags = PULLED
  }

  get loop(): number {
    return this.eventLoop.index
  }
  get remote(): string {
    return formatEndpoint(this.#ip, this.#port)
  }
  get local(): string {
    return this.#local
  }
  get codec(): Codec<unknown, unknown> {
    return this.currentCodec
  }
  set codec(codec: Codec<unknown, unknown>) {
    if (this.profile.framing.kind !== 'raw' || checkCodec(codec).framing.kind !== 'raw') {
      throw new MillraceError(
        'ERR_INVALID_OPTION',
        'only a codec with raw framing can be changed, and only for another one',
      )
    }
    this.currentCodec = codec
  }
  get readyState(): ReadyState {
    if (this.flags & (CLOSED | DESTROYED)) return 'closed'
    return this.flags & ENDED ? 'ending' : 'open'
  }
  get bytesRead(): number {
    if (this.flags & CLOSED) return this.#received
    const { environment, index } = this.eventLoop
    return Math.max(0, bytesReceived(environment.handle, index, this.slot, this.generation))
  }

  /** It ended for a throw of its user's code. */
  get isFailed(): boolean {
    return (this.flags & FAILED) !== 0
  }

  /** The loop that serves it. */
  get itsLoop(): Loop {
    return this.eventLoop
  }

  /** The loop has it, and so have we. What `context` or `open` threw. */
  opened(): Error | undefined {
    const { profile } = this
    this.eventLoop.environment.hold(1)
    profile.owner.add(this)
    try {
      if (profile.codecOf !== undefined) this.currentCodec = profile.codecFor(this)
      const { context } = profile.handlers
      if (context !== undefined) {
        const made: unknown = context(this)
        if (isThenable(made)) {
          // Its outcome is of no interest any more.
          made.then(undefined, () => {})
          throw new MillraceError(
            'ERR_CONTEXT_ASYNC',
            'context returned a promise; it has to be synchronous',
          )
        }
        this.context = made
      }
      const result = profile.handlers.open?.(this)
      if (isThenable(result)) this.track(result)
      return undefined
    } catch (thrown) {
      return this.fail(thrown)
    }
  }

  /** The last record: payload `close` of the record table. */
  closedByLoop(view: DataView, at: number): void {
    const reason = view.getUint32(at, true)
    const errno = view.getInt32(at + 4, true)
    const received = Number(view.getBigUint64(at + CLOSE_RECEIVED, true))
    const own = this.extras?.error
    this.#closed(own ?? closeError(reason, errno), received)
  }

  /** Its loop panicked. */
  lost(): void {
    this.#closed(
      new MillraceError('ERR_LOOP_PANIC', 'the event loop of the connection was lost'),
      0,
    )
  }

  #closed(error: Error | undefined, received: number): void {
    if (this.flags & CLOSED) return
    this.flags |= CLOSED | ENDED
    this.#received = received
    if (error !== undefined) this.more().error = error
    // An error is not cheap, and mostly nobody waits.
    if (this.extras?.isAwaited) {
      this.extras.fail(error ?? new MillraceError('ERR_CLOSED', 'the connection is closed'))
    }
    this.wakePull()
    if (!(this.flags & UNREFED)) this.eventLoop.environment.hold(-1)
    this.profile.owner.closed(this, error)
    this.extras?.closed.resolve()
  }

  ref(): this {
    if (this.flags & UNREFED) {
      this.flags &= ~UNREFED
      if (!(this.flags & CLOSED)) this.eventLoop.environment.hold(1)
    }
    return this
  }

  unref(): this {
    if (!(this.flags & UNREFED)) {
      this.flags |= UNREFED
      if (!(this.flags & CLOSED)) this.eventLoop.environment.hold(-1)
    }
    return this
  }

  setSocketOptions(options: SocketOptions): Promise<void> {
    let pairs: number[]
    try {
      pairs = changes(options, this.#isUnix)
    } catch (error) {
      return Promise.reject(error as Error)
    }
    return this.#ask(() => change(this.eventLoop, this, pairs))
  }

  socketOptions(): Promise<SocketOptions> {
    return this.#ask(() => read(this.eventLoop, this, this.#isUnix))
  }

  #ask<T>(question: () => Promise<T>): Promise<T> {
    return unawaited(
      this.flags & (CLOSED | DESTROYED)
        ? Promise.reject(new MillraceError('ERR_CLOSED', 'the connection is closed'))
        : question(),
    )
  }

  /** Only an IP address has a port, or a number for an address. */
  get #isUnix(): boolean {
    return typeof this.#ip === 'string' && (this.#port === -1 || this.#ip === '')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.flags & CLOSED) return
    const closed = this.more().closed.promise()
    this.end()
    await closed
  }
}

// For `console.log`: what a user would ask for.
Object.defineProperty(ConnImpl.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: ConnImpl): object {
    const { id, remote, local, readyState, context } = this
    return { id, remote, local, readyState, context }
  },
})
