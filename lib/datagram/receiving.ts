/** Delivers received datagrams, or parks them while the socket is paused, pulled, or not yet bound. */

import { decodeFrame } from '../codec/decode.js'
import { type ReaderImpl, readerOver } from '../codec/reader-impl.js'
import { toError } from '../errors.js'
import { KIND_PAUSE, KIND_RESUME } from '../native/record.js'
import { deferred } from '../util/deferred.js'
import { isFull, isLow } from '../util/parked-limit.js'
import { isThenable } from '../util/thenable.js'
import type { DatagramInfoImpl } from './datagram-info.js'
import type { ReceivedDatagram } from './datagram-socket.js'
import type { DatagramSocketImpl } from './datagram-socket-impl.js'
import { ParkedDatagram } from './parked-datagrams.js'

/**
 * Delivers or parks a datagram that has arrived.
 *
 * @param memory has the bytes of the datagram from `at` to `end`
 */
export function receive(
  socket: DatagramSocketImpl,
  reader: ReaderImpl,
  memory: Buffer,
  at: number,
  end: number,
  from: DatagramInfoImpl,
): void {
  if (socket.isEnded) return
  const { parked, isPaused, isPulled, isBound, held } = socket
  if (isPaused || held > 0 || isPulled || parked.count > 0 || !isBound) {
    // Not from Node's pool: the message may be a view of it.
    const bytes = Buffer.allocUnsafeSlow(end - at)
    memory.copy(bytes, 0, at, end)
    parked.push(new ParkedDatagram(bytes, from))
    if (isFull(parked, socket.settings.maxParked)) stopReading(socket)
    socket.wakePull()
  } else {
    deliver(socket, reader, at, end, from)
  }
}

/** Delivers parked datagrams after `resume()`, and then lets the loops receive again. */
export function deliverParked(socket: DatagramSocketImpl): void {
  if (socket.isPulled) {
    socket.wakePull()
  } else {
    while (!socket.isPaused && socket.held === 0 && !socket.isEnded) {
      const next = socket.parked.take()
      if (next === undefined) break
      deliver(socket, readerOver(next.bytes, true), 0, next.bytes.length, next.from)
    }
  }
  resumeReadingIfLow(socket)
}

/** Decodes a datagram, and calls `message`. */
function deliver(
  socket: DatagramSocketImpl,
  reader: ReaderImpl,
  at: number,
  end: number,
  from: DatagramInfoImpl,
): void {
  const message = decode(socket, reader, at, end, from)
  if (message === undefined) return
  // Not `callHandler`, which would need two closures for each datagram.
  try {
    const result = socket.handlers.message?.(socket, message, from)
    if (isThenable(result)) {
      result.then(undefined, (reason: unknown) => socket.report(toError(reason), from))
    }
  } catch (thrown) {
    socket.report(toError(thrown), from)
  }
}

/** Decodes a datagram. Returns `undefined` if `decode` swallowed the datagram, or refused it. */
function decode(
  socket: DatagramSocketImpl,
  reader: ReaderImpl,
  at: number,
  end: number,
  from: DatagramInfoImpl,
): unknown {
  try {
    return decodeFrame(socket.settings.codec, reader, at, end)
  } catch (thrown) {
    // The next datagram may come from another sender, so the socket stays open.
    socket.report(toError(thrown), from)
    return undefined
  }
}

/** Tells the loops to stop receiving. */
export function stopReading(socket: DatagramSocketImpl): void {
  if (socket.isReadingStopped) return
  socket.isReadingStopped = true
  socket.loopSockets.control(KIND_PAUSE)
}

/** Tells the loops to receive again, if there is room for more datagrams. */
function resumeReadingIfLow(socket: DatagramSocketImpl): void {
  if (!socket.isReadingStopped || socket.isPaused || socket.isEnded) return
  if (!isLow(socket.parked, socket.settings.maxParked)) return
  socket.isReadingStopped = false
  socket.loopSockets.control(KIND_RESUME)
}

/**
 * Returns the iterator of a datagram socket.
 *
 * @throws TypeError if the socket has a `message` handler
 */
export function datagramIterator(
  socket: DatagramSocketImpl,
): AsyncIterator<ReceivedDatagram<unknown>> {
  if (!socket.isPulled) {
    throw new TypeError('a socket with a message handler cannot be iterated: leave out the handler')
  }
  return {
    next: () => next(socket),
    return: async () => ({ done: true, value: undefined }),
  }
}

/** Returns the next datagram, and waits for it if none is parked. */
async function next(
  socket: DatagramSocketImpl,
): Promise<IteratorResult<ReceivedDatagram<unknown>, undefined>> {
  for (;;) {
    while (!socket.isPaused && socket.held === 0 && !socket.isEnded) {
      const parked = socket.parked.take()
      if (parked === undefined) break
      const { bytes, from: info } = parked
      const message = decode(socket, readerOver(bytes, true), 0, bytes.length, info)
      if (message !== undefined) {
        resumeReadingIfLow(socket)
        return { done: false, value: { message, info } }
      }
    }
    resumeReadingIfLow(socket)
    if (socket.isEnded) {
      if (socket.error !== undefined) throw socket.error
      return { done: true, value: undefined }
    }
    if (socket.pull === undefined) {
      socket.pull = deferred<void>()
      socket.silence?.begin(socket)
    }
    await socket.pull.promise
  }
}
