/** A server: its listeners, its connections, and how it comes to an end. */

import type { Codec } from './codec.js'
import type { Conn } from './conn.js'
import type { Connection } from './connection.js'
import { theEnvironment } from './environment.js'
import { invalidOption, MillraceError, toError } from './errors.js'
import { Wait } from './extras.js'
import { writeFrame } from './framing.js'
import type { Group } from './group.js'
import type { Handlers } from './handlers.js'
import type { Listener } from './listener.js'
import type { Loop } from './loop.js'
import { closeListener, counters, dropService } from './native.js'
import type { Owner } from './profile.js'
import { Warnings } from './warnings.js'
import { FrameWriter } from './writer.js'

/** What an event loop has counted since it started, for all servers that use it. */
export interface LoopStats {
  /** Its number, as in `conn.loop`. */
  readonly loop: number
  /** Connections opened. */
  readonly opened: number
  /** Connections closed. */
  readonly closed: number
  /** Bytes received. */
  readonly bytesRead: number
  /** Bytes that the kernel took. */
  readonly bytesWritten: number
  /** Frames and chunks handed to JavaScript. */
  readonly recordsIn: number
  /** Writes and commands taken from JavaScript. */
  readonly recordsOut: number
  /** Turns of the loop. */
  readonly turns: number
}

/** A server's counts at one moment. */
export interface ServerStats {
  /** Connections that are open. */
  readonly connections: number
  /** The loops it uses. */
  readonly loops: readonly LoopStats[]
}

/** Whom a `broadcast` addresses. */
export interface BroadcastOptions<C> {
  /** Only these; connections of another server or closed ones are passed over. Default all. */
  group?: Iterable<C>
  /** Not this one. */
  except?: C
}

/** A server that is listening, or was. */
export interface Server<In = Buffer, Out = Uint8Array | string, Data = undefined>
  extends AsyncDisposable,
    Iterable<Conn<In, Out, Data>> {
  /** One address for each bound socket, in the order of `listen`: `tcp://127.0.0.1:9000`. */
  readonly addresses: readonly string[]
  /** Connections that are open. */
  readonly connections: number
  stats(): ServerStats
  /** The open connection of that `id`. */
  get(id: number): Conn<In, Out, Data> | undefined
  /**
   * Writes a message to all connections, or to a group of them, each under its own backpressure.
   *
   * @returns how many it was written to
   */
  broadcast(message: Out, options?: BroadcastOptions<Conn<In, Out, Data>>): number
  /**
   * Accepts what is already there and stops listening; delivers what was received by then; ends each
   * connection once its handlers' promises are settled; destroys what is left after `timeout`
   * milliseconds (default 30,000) with `ERR_CLOSE_TIMEOUT`. Resolves when every `close` has run. A
   * second call shares the first one's promise.
   *
   * @throws `ERR_INVALID_OPTION`
   */
  close(options?: { timeout?: number }): Promise<void>
  /** Keeps the process alive while it listens; the default. */
  ref(): this
  /** Lets the process end while it listens. */
  unref(): this
}

/** A message as bytes, framing and all. */
function encode(codec: Codec<unknown, unknown>, message: unknown): Buffer {
  const writer = new FrameWriter()
  writer.aside()
  writeFrame(codec, codec.framing, message, writer)
  return writer.memory.subarray(writer.start, writer.pos)
}

/** A server whatever its messages are. */
export type AnyServer = ServerHandle

const CLOSE_TIMEOUT = 30_000

/** The one implementation. */
export class ServerHandle implements Server<unknown, unknown, unknown>, Owner {
  readonly #group: Group
  readonly #service: number
  readonly #handlers: Handlers<unknown, unknown, unknown>
  #listeners: Listener[] = []
  #addresses: readonly string[] = []
  #connections = 0
  /** By id, from the first `get` on. */
  #byId: Map<number, Connection> | undefined
  #isRefed = true
  #isListening = false
  #closing: Promise<void> | undefined
  #isStopped = false
  #onStopped: (() => void) | undefined
  /** The time to close is over. */
  #gaveUp: MillraceError | undefined
  readonly #empty = new Wait()
  readonly #lostLoops = new Set<Loop>()
  readonly #warnings = new Warnings()

  constructor(group: Group, service: number, handlers: Handlers<unknown, unknown, unknown>) {
    this.#group = group
    this.#service = service
    this.#handlers = handlers
  }

  /** Its listeners accept from now on. */
  started(listeners: Listener[]): void {
    this.#listeners = listeners
    this.#addresses = Object.freeze(listeners.map((listener) => listener.address))
    this.#isListening = true
    if (this.#isRefed) theEnvironment().hold(1)
  }

  get group(): Group | undefined {
    return this.#closing === undefined ? this.#group : undefined
  }
  get loops(): readonly Loop[] {
    return this.#group.loops
  }
  get addresses(): readonly string[] {
    return this.#addresses
  }
  get connections(): number {
    return this.#connections
  }

  stats(): ServerStats {
    const { handle } = theEnvironment()
    const isStopped = this.#isStopped
    return {
      connections: this.#connections,
      loops: isStopped
        ? []
        : this.loops.map((loop) => ({ loop: loop.index, ...counters(handle, loop.index) })),
    }
  }

  get(id: number): Conn<unknown, unknown, unknown> | undefined {
    if (this.#byId === undefined) {
      this.#byId = new Map()
      for (const conn of this) this.#byId.set(conn.id, conn as Connection)
    }
    return this.#byId.get(id)
  }

  *[Symbol.iterator](): Iterator<Conn<unknown, unknown, unknown>> {
    if (this.#isStopped) return
    for (const loop of this.loops) {
      for (const conn of loop.slots) {
        if (conn?.profile.owner === this) yield conn
      }
    }
  }

  broadcast(
    message: unknown,
    options: BroadcastOptions<Conn<unknown, unknown, unknown>> = {},
  ): number {
    const { except } = options
    const group = (options.group ?? this) as Iterable<Connection>
    /** Encoded once for all that share a codec. */
    const encoded = new Map<Codec<unknown, unknown>, Buffer>()
    let count = 0
    for (const conn of group) {
      if (conn === except || conn.profile.owner !== this || conn.readyState !== 'open') continue
      const { codec, codecOf } = conn.profile
      if (codecOf !== undefined || conn.codec !== codec) {
        conn.write(message)
      } else {
        let bytes = encoded.get(codec)
        if (bytes === undefined) {
          bytes = encode(codec, message)
          encoded.set(codec, bytes)
        }
        conn.writeEncoded(bytes)
      }
      count++
    }
    return count
  }

  close(options: { timeout?: number } = {}): Promise<void> {
    const timeout = options.timeout ?? CLOSE_TIMEOUT
    if (!Number.isSafeInteger(timeout) || timeout < 0 || timeout > 0x7fffffff) {
      return Promise.reject(invalidOption('timeout', 'a whole number of milliseconds', timeout))
    }
    this.#closing ??= this.#close(timeout)
    return this.#closing
  }

  async #close(timeout: number): Promise<void> {
    const { handle } = theEnvironment()
    const timer = setTimeout(() => this.#giveUp(timeout), timeout)
    for (const listener of this.#listeners)
      closeListener(handle, this.#group.number, listener.number)
    // A connection ends when its loop has said that its input is through, and its promises settle.
    await Promise.all(this.#listeners.map((listener) => listener.closed))
    this.#stopListening()
    if (this.#connections > 0) await this.#empty.promise()
    clearTimeout(timer)
    for (const listener of this.#listeners) theEnvironment().sources.delete(listener.number)
    dropService(handle, this.#service)
    this.#isStopped = true
    this.#group.leave()
    this.#onStopped?.()
  }

  #giveUp(timeout: number): void {
    this.#gaveUp = new MillraceError(
      'ERR_CLOSE_TIMEOUT',
      `still open ${timeout} ms after its server began to close`,
    )
    for (const conn of this) conn.destroy(this.#gaveUp)
  }

  #stopListening(): void {
    if (!this.#isListening) return
    this.#isListening = false
    if (this.#isRefed) theEnvironment().hold(-1)
  }

  ref(): this {
    if (!this.#isRefed && this.#isListening) theEnvironment().hold(1)
    this.#isRefed = true
    return this
  }

  unref(): this {
    if (this.#isRefed && this.#isListening) theEnvironment().hold(-1)
    this.#isRefed = false
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // ---- for serve, connections and listeners ----

  /** Called once it is closed. */
  onStopped(callback: () => void): void {
    this.#onStopped = callback
  }

  add(conn: Connection): void {
    this.#connections++
    this.#byId?.set(conn.id, conn)
    // Accepted in the last sweep, and told only now.
    if (this.#gaveUp !== undefined) conn.destroy(this.#gaveUp)
  }

  closed(conn: Connection, error: Error | undefined): void {
    this.#connections--
    this.#byId?.delete(conn.id)
    const { handlers } = conn.profile
    if (handlers.close !== undefined) {
      this.#run(() => handlers.close?.(conn, error), conn)
    } else if (error !== undefined && conn.isFailed) {
      this.report(error, conn)
    }
    if (this.#connections === 0) this.#empty.resolve()
  }

  #run(handler: () => unknown, conn: Connection): void {
    try {
      const result = handler()
      if (result instanceof Promise)
        result.catch((reason: unknown) => this.report(toError(reason), conn))
    } catch (thrown) {
      this.report(toError(thrown), conn)
    }
  }

  /** Tells what no `close` tells: to `error`, or as a warning. */
  report(error: Error, conn?: Connection): void {
    const { error: handler } = conn?.profile.handlers ?? this.#handlers
    if (handler === undefined) {
      this.#warnings.warn(error)
      return
    }
    try {
      const result = handler(error, conn)
      if (result instanceof Promise)
        result.catch((reason: unknown) => this.#warnings.warn(toError(reason)))
    } catch (thrown) {
      this.#warnings.warn(toError(thrown))
    }
  }

  lost(loop: Loop): void {
    if (this.#lostLoops.has(loop)) return
    this.#lostLoops.add(loop)
    this.report(
      new MillraceError('ERR_LOOP_PANIC', `event loop ${loop.index} was lost with its connections`),
    )
    // Nobody is left to accept: the server is over.
    if (this.loops.every((each) => each.isDead)) void this.close({ timeout: 0 })
  }
}
