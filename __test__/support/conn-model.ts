/** A connection and its peer, driven step by step, and what must be seen of that. */

import assert from 'node:assert/strict'
import type net from 'node:net'
import fc, { type Arbitrary } from 'fast-check'
import type { CodedError, Conn } from 'millrace'
import { closed } from './client.js'
import { codeOf, type Gate, gate } from './gate.js'
import { turns } from './turns.js'

/** What one of the two does. */
export type Step =
  | { by: 'user'; does: 'write' | 'end with' | 'close with'; bytes: number }
  | { by: 'user'; does: 'end' | 'close' | 'pause' | 'resume' | 'pull' | 'hold' | 'let go' }
  | { by: 'user'; does: 'destroy' | 'reset'; error: boolean }
  | { by: 'peer'; does: 'send'; bytes: number }
  | { by: 'peer'; does: 'end' | 'reset' | 'pause' | 'resume' }
  | { by: 'both'; does: 'wait' }

const bytes = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 200_000 }))
const step = (by: string, does: string) => fc.constant({ by, does } as Step)

/** A step: those that end something are rarer. */
const STEP: Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: bytes.map((n): Step => ({ by: 'user', does: 'write', bytes: n })) },
  { weight: 6, arbitrary: bytes.map((n): Step => ({ by: 'peer', does: 'send', bytes: n })) },
  { weight: 5, arbitrary: step('both', 'wait') },
  { weight: 2, arbitrary: step('user', 'pause') },
  { weight: 2, arbitrary: step('user', 'resume') },
  { weight: 3, arbitrary: step('user', 'pull') },
  { weight: 2, arbitrary: step('user', 'hold') },
  { weight: 2, arbitrary: step('user', 'let go') },
  { weight: 2, arbitrary: step('peer', 'pause') },
  { weight: 2, arbitrary: step('peer', 'resume') },
  { weight: 1, arbitrary: step('user', 'end') },
  { weight: 1, arbitrary: bytes.map((n): Step => ({ by: 'user', does: 'end with', bytes: n })) },
  { weight: 1, arbitrary: step('user', 'close') },
  { weight: 1, arbitrary: bytes.map((n): Step => ({ by: 'user', does: 'close with', bytes: n })) },
  { weight: 1, arbitrary: step('peer', 'end') },
  { weight: 1, arbitrary: step('peer', 'reset') },
  {
    weight: 1,
    arbitrary: fc
      .record({
        does: fc.constantFrom<'destroy' | 'reset'>('destroy', 'reset'),
        error: fc.boolean(),
      })
      .map((end): Step => ({ by: 'user', ...end })),
  },
)

/** What the two do, one after the other. */
export const STEPS: Arbitrary<Step[]> = fc.array(STEP, { maxLength: 25, size: 'max' })

/** The bytes of a direction: each tells its place, and the direction. */
function streamOf(direction: number): (from: number, length: number) => Buffer {
  return (from, length) => {
    const bytes = Buffer.alloc(length)
    for (let at = 0; at < length; at++)
      bytes[at] = ((from + at) * 31 + ((from + at) >> 8)) ^ direction
    return bytes
  }
}

const toPeer = streamOf(0x00)
const toUser = streamOf(0xff)

/** The order in which `readyState` may change. */
const RANKS = { open: 0, readOnly: 1, writeOnly: 1, closing: 2, closed: 3 } as const

/** Plays the steps and checks what is seen. The handlers of the connection call it. */
export class ConnModel {
  readonly #isPulled: boolean
  readonly #opened: Gate<Conn> = gate()
  readonly #closed: Gate<void> = gate()
  #state: Conn['readyState'] = 'open'
  /** Bytes that the peer sent, and that the user got. */
  #sent = 0
  #got = 0
  /** Bytes that the user wrote, and that the peer got. */
  #written = 0
  #arrived = 0
  #ends = 0
  /** The end came before all of the input. */
  #isCut = false
  #closes = 0
  #reason: CodedError | undefined
  /** The user's first abrupt end, with its error. */
  #dropped: { error: Error | undefined } | undefined
  /** The user has called `close`, so that input may be dropped. */
  #isClosing = false
  #peerHasEnded = false
  #peerHasReset = false
  #peerSawEnd = false
  /** What handlers wait for, while they are held. */
  #held: Gate<void> | undefined
  #iterator: AsyncIterator<Buffer> | undefined
  readonly #pulls: Promise<void>[] = []
  #wrong: unknown

  constructor(isPulled: boolean) {
    this.#isPulled = isPulled
  }

  /** The handlers of the connection. */
  handlers() {
    return {
      open: (conn: Conn) => this.#opened.open(conn),
      ...(this.#isPulled
        ? {}
        : {
            message: (conn: Conn, bytes: Buffer) => {
              this.#guard(() => this.#take(conn, bytes))
              return this.#held?.passed
            },
          }),
      drain: (conn: Conn) => this.#guard(() => this.#look(conn)),
      end: (conn: Conn) =>
        this.#guard(() => {
          this.#look(conn)
          this.#ends++
          assert(this.#peerHasEnded || this.#peerHasReset, 'an end that nobody sent')
          // A Unix socket has no reset: what its peer gives up ends as if all was sent.
          this.#isCut = this.#got < this.#sent
          const mayBeCut = this.#peerHasReset && conn.remotePort === undefined
          assert(!this.#isCut || mayBeCut, 'the end came before all of the input')
        }),
      close: (conn: Conn, error: CodedError | undefined) =>
        this.#guard(() => {
          this.#look(conn)
          this.#closes++
          this.#reason = error
          assert.equal(conn.readyState, 'closed')
          this.#closed.open()
        }),
    }
  }

  /** Keeps the first thing that is wrong: a handler that throws would end the connection. */
  #guard(check: () => void): void {
    try {
      check()
    } catch (thrown) {
      this.#wrong ??= thrown
    }
  }

  /** What has to hold at every moment. */
  #look(conn: Conn): void {
    assert.equal(this.#closes, 0, 'a handler was called after close')
    this.#lookAtState(conn)
  }

  #lookAtState(conn: Conn): void {
    const [before, now] = [this.#state, conn.readyState]
    assert(now === before || RANKS[now] > RANKS[before], `${before} became ${now}`)
    this.#state = now
    assert.equal(conn.bytesWritten, this.#written)
    assert(conn.bytesRead >= this.#got, 'less was read than was delivered')
    assert(conn.bytesRead <= this.#sent, 'more was read than was sent')
    assert(conn.buffered >= 0 && conn.buffered <= this.#written, `buffered is ${conn.buffered}`)
  }

  #take(conn: Conn, bytes: Buffer): void {
    this.#look(conn)
    assert.equal(this.#ends, 0, 'a message after the end')
    assert(!this.#isClosing && this.#dropped === undefined, 'a message after close')
    assert(bytes.equals(toUser(this.#got, bytes.length)), `wrong input from ${this.#got} on`)
    this.#got += bytes.length
  }

  /** Plays all steps, then lets both sides come to an end. */
  async play(steps: readonly Step[], socket: net.Socket): Promise<void> {
    socket.on('data', (bytes: Buffer) =>
      this.#guard(() => {
        assert(
          bytes.equals(toPeer(this.#arrived, bytes.length)),
          `wrong output at ${this.#arrived}`,
        )
        this.#arrived += bytes.length
      }),
    )
    socket.on('end', () => {
      this.#peerSawEnd = true
    })
    const conn = await this.#opened.passed
    for (const step of steps) {
      if (step.by === 'user') this.#user(conn, step)
      else if (step.by === 'peer') this.#peer(socket, step)
      else await turns(1)
      this.#guard(() => this.#lookAtState(conn))
    }
    await this.#finish(conn, socket)
    if (this.#wrong !== undefined) throw this.#wrong
    this.#judge(conn)
  }

  #user(conn: Conn, step: Step & { by: 'user' }): void {
    const isOver = this.#dropped !== undefined || this.#closes > 0
    switch (step.does) {
      case 'write':
      case 'end with':
      case 'close with': {
        const takes = conn.readyState === 'open' || conn.readyState === 'writeOnly'
        const message = toPeer(this.#written, step.bytes)
        if (takes) this.#written += step.bytes
        if (step.does === 'close with' && !isOver) this.#isClosing = true
        if (step.does === 'end with') conn.end(message)
        else if (step.does === 'close with') conn.close(message)
        else if (!conn.write(message)) void conn.drained().catch(() => {})
        return
      }
      case 'end':
        conn.end()
        return
      case 'close':
        if (!isOver) this.#isClosing = true
        void conn.close()
        return
      case 'destroy':
      case 'reset': {
        const error = step.error ? new Error('of the user') : undefined
        if (!isOver) this.#dropped = { error }
        conn[step.does](error)
        return
      }
      case 'pause':
      case 'resume':
        conn[step.does]()
        return
      case 'pull':
        if (this.#isPulled) this.#pulls.push(this.#pull(conn).then(() => {}))
        return
      case 'hold':
        this.#held ??= gate()
        return
      case 'let go':
        this.#held?.open()
        this.#held = undefined
    }
  }

  /** Pulls one message. Returns whether there may be more. */
  async #pull(conn: Conn): Promise<boolean> {
    this.#iterator ??= conn[Symbol.asyncIterator]()
    try {
      const { done, value } = await this.#iterator.next()
      if (done) return false
      this.#guard(() => {
        assert(value.equals(toUser(this.#got, value.length)), `wrong input from ${this.#got} on`)
        this.#got += value.length
      })
      return true
    } catch (thrown) {
      this.#guard(() => assert(this.#allowed().has(codeOf(thrown) ?? String(thrown)), `${thrown}`))
      return false
    }
  }

  #peer(socket: net.Socket, { does, ...rest }: Step & { by: 'peer' }): void {
    const isOver = this.#peerHasEnded || this.#peerHasReset || socket.destroyed
    if (does === 'pause' || does === 'resume') socket[does]()
    else if (does === 'send' && !isOver && 'bytes' in rest) {
      socket.write(toUser(this.#sent, rest.bytes))
      this.#sent += rest.bytes
    } else if (does === 'end' && !isOver) {
      this.#peerHasEnded = true
      socket.end()
    } else if (does === 'reset' && !socket.destroyed) {
      this.#peerHasReset = true
      if (socket.remoteFamily === undefined) socket.destroy()
      // Node 20 forgets a socket that is reset in the turn in which it ended: it never closes.
      else if (this.#peerHasEnded) setImmediate(() => socket.resetAndDestroy())
      else socket.resetAndDestroy()
    }
  }

  /** Both sides read all that there is, and end their halves. */
  async #finish(conn: Conn, socket: net.Socket): Promise<void> {
    this.#held?.open()
    this.#held = undefined
    conn.resume()
    this.#peer(socket, { by: 'peer', does: 'end' })
    socket.resume()
    conn.end()
    await Promise.all(this.#pulls)
    while (this.#isPulled && (await this.#pull(conn))) {}
    await this.#closed.passed
    await closed(socket)
    // A handler that is called too late is called in the turns after this.
    await turns(3)
  }

  /** The reasons that `close` may tell. */
  #allowed(): Set<string> {
    const reasons = new Set<string>()
    reasons.add(this.#dropped?.error === undefined ? 'none' : String(this.#dropped.error))
    if (this.#peerHasReset) for (const each of ['none', 'ECONNRESET', 'EPIPE']) reasons.add(each)
    return reasons
  }

  /** What has to hold at the end. */
  #judge(conn: Conn): void {
    assert.equal(this.#closes, 1)
    assert(this.#ends <= 1, 'more than one end')
    this.#lookAtState(conn)
    assert.equal(conn.readyState, 'closed')
    const reason = this.#reason === undefined ? 'none' : (codeOf(this.#reason) ?? `${this.#reason}`)
    assert(this.#allowed().has(reason), `closed with ${reason}`)
    if (this.#dropped === undefined && !this.#peerHasReset) {
      assert.equal(this.#arrived, this.#written, 'output is missing')
      assert(this.#peerSawEnd, 'the peer was not told of the end')
      assert.equal(conn.buffered, 0)
      if (!this.#isClosing) {
        assert.equal(this.#got, this.#sent, 'input is missing')
        assert.equal(this.#ends, 1, 'no end')
      }
    }
    assert(this.#arrived <= this.#written)
  }
}
