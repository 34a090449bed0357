/** The implementation of `ConnStream`. */

import { Duplex } from 'node:stream'
import type { SocketOptions } from '../socket/socket-options.js'
import { setImmediate } from '../util/timers.js'
import type { ConnImpl } from './conn-impl.js'
import type { ConnStream } from './conn-stream.js'
import { CLOSED } from './flags.js'
import { StreamInput } from './stream-input.js'
import { StreamOutput } from './stream-output.js'
import { StreamTimer } from './stream-timer.js'

/** A chunk of the loop has up to as many bytes. */
const HIGH_WATER_MARK = 64 * 1024

/** A connection as a stream. What the connection tells goes through {@link StreamInput}. */
export class ConnStreamImpl extends Duplex implements ConnStream {
  readonly conn: ConnImpl
  readonly connecting = false as const
  readonly pending = false as const
  readonly #input: StreamInput
  readonly #output: StreamOutput
  readonly #timer: StreamTimer
  /** `destroySoon` was called. */
  #endsSoon = false
  /** `resetAndDestroy` was called. */
  #isReset = false

  /** Takes the input of the connection. */
  constructor(conn: ConnImpl) {
    super({ allowHalfOpen: conn.profile.allowHalfOpen, highWaterMark: HIGH_WATER_MARK })
    this.conn = conn
    this.#output = new StreamOutput(conn)
    this.#timer = new StreamTimer(conn, () => this.emit('timeout'))
    this.#input = new StreamInput(conn, this, this.#output, this.#timer)
  }

  get remoteAddress(): string | undefined {
    return this.conn.remoteAddress
  }
  get remotePort(): number | undefined {
    return this.conn.remotePort
  }
  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return this.conn.remoteFamily
  }
  get localAddress(): string | undefined {
    return this.conn.localAddress
  }
  get localPort(): number | undefined {
    return this.conn.localPort
  }
  get localFamily(): 'IPv4' | 'IPv6' | undefined {
    return this.conn.localFamily
  }
  get bytesRead(): number {
    return this.conn.bytesRead
  }
  get bytesWritten(): number {
    return this.conn.bytesWritten
  }
  get timeout(): number | undefined {
    return this.#timer.ms
  }
  get readyState(): 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.readable) return this.writable ? 'open' : 'readOnly'
    return this.writable ? 'writeOnly' : 'closed'
  }

  address(): { address: string; family: 'IPv4' | 'IPv6'; port: number } | Record<string, never> {
    const { localAddress: address, localFamily: family, localPort: port } = this
    if (address === undefined || family === undefined || port === undefined) return {}
    return { address, family, port }
  }

  setTimeout(ms: number, callback?: () => void): this {
    if (this.destroyed) return this
    this.#timer.set(ms)
    if (callback === undefined) return this
    if (ms === 0) this.off('timeout', callback)
    else this.once('timeout', callback)
    return this
  }

  setNoDelay(noDelay = true): this {
    return this.#setOptions({ noDelay: Boolean(noDelay) })
  }

  setKeepAlive(enable = false, initialDelay = 0): this {
    const idle = Math.trunc(initialDelay)
    return this.#setOptions({ keepAlive: enable && idle > 0 ? { idle } : Boolean(enable) })
  }

  /** As in node:net, nobody hears of an option that cannot be set. */
  #setOptions(options: SocketOptions): this {
    this.conn.setSocketOptions(options).catch(() => {})
    return this
  }

  ref(): this {
    this.conn.ref()
    return this
  }

  unref(): this {
    this.conn.unref()
    return this
  }

  destroySoon(): void {
    if (this.destroyed) return
    this.#endsSoon = true
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  resetAndDestroy(): this {
    this.#isReset = true
    return this.destroy()
  }

  override _read(): void {
    this.#input.wanted()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#timer.renew()
    this.#output.write([chunk], done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#timer.renew()
    this.#output.write(
      chunks.map(({ chunk }) => chunk),
      done,
    )
  }

  override _final(done: (error?: Error | null) => void): void {
    this.conn.end()
    // Once the connection closes there is nothing to wait for. If it failed, the stream is destroyed by then.
    this.conn.flushed().then(
      () => done(),
      () => done(),
    )
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const { conn } = this
    this.#timer.stop()
    this.#output.drop(error)
    if (conn.flags & CLOSED) {
      // Not before what the last bytes have set off.
      setImmediate(() => done(error))
      return
    }
    this.#input.whenClosed(() => done(error))
    const isOver = this.writableFinished && (this.readableEnded || this.#endsSoon)
    if (this.#isReset) conn.reset(error ?? undefined)
    else if (isOver && error === null) conn.close()
    else conn.destroy(error ?? undefined)
  }
}
