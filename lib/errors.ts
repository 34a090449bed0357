/** The class of all errors that millrace makes, and their codes, each explained in docs/errors.md. */

/** The codes of millrace's own errors. System errors have the codes of Node, such as `ECONNRESET`. */
export type ErrorCode =
  | 'ERR_CLOSED'
  | 'ERR_CLOSE_TIMEOUT'
  | 'ERR_CONNECT_TIMEOUT'
  | 'ERR_DECODE_ASYNC'
  | 'ERR_CONTEXT_ASYNC'
  | 'ERR_ENCODE_ASYNC'
  | 'ERR_FRAME_INCOMPLETE'
  | 'ERR_FRAME_INVALID'
  | 'ERR_FRAME_NOT_CONSUMED'
  | 'ERR_FRAME_TOO_LARGE'
  | 'ERR_INLINE_UNSUPPORTED'
  | 'ERR_INTERNAL'
  | 'ERR_INVALID_ADDRESS'
  | 'ERR_INVALID_OPTION'
  | 'ERR_LINGER_TIMEOUT'
  | 'ERR_LOOP_PANIC'
  | 'ERR_READER_STALE'
  | 'ERR_UNSUPPORTED'
  | 'ERR_WRITE_BUFFER_FULL'
  | 'ERR_WRITER_STALE'

/**
 * The errors that handlers get: those of millrace, of the system, and whatever the user's code threw.
 *
 * @example
 * ```ts
 * let resets = 0
 * await serve({
 *   listen: 9000,
 *   close(conn, error?: CodedError) {
 *     if (error?.code === 'ECONNRESET') resets++
 *   },
 * })
 * ```
 */
export interface CodedError extends Error {
  /** One of {@link ErrorCode}, or a system error's name such as `ECONNRESET`. */
  code?: string | undefined
}

/**
 * The fields that a system error has beside its code.
 *
 * @example
 * ```ts
 * function describe({ syscall, address, port }: SystemErrorFields) {
 *   return `${syscall} failed for ${address}:${port}`
 * }
 * try {
 *   await connect({ to: 9000 })
 * } catch (error) {
 *   if (!(error instanceof MillraceError)) throw error
 *   console.error(describe(error), error.code)
 * }
 * ```
 */
export interface SystemErrorFields {
  /** The system's error number, negative as in Node. */
  errno?: number
  /** The system call that failed, such as `listen`. */
  syscall?: string
  /** The IP address, the path or the name that the call was about. */
  address?: string
  /** The port that the call was about. */
  port?: number
  /** How many calls failed, if a datagram socket reports several equal errors as one. */
  count?: number
}

/**
 * Is the class of every error that millrace makes. Compare `code`: messages may change.
 *
 * @example
 * ```ts
 * try {
 *   await serve({ listen: 80 })
 * } catch (error) {
 *   if (error instanceof MillraceError && error.code === 'EACCES') console.error('port 80 needs root')
 *   else throw error
 * }
 * ```
 */
export class MillraceError extends Error implements SystemErrorFields {
  /** The name of the class. */
  override readonly name = 'MillraceError'
  /** One of {@link ErrorCode}, or the name of a system error such as `EADDRINUSE`. */
  readonly code: ErrorCode | (string & {})
  // `declare` keeps a field that is not given from being set to undefined.
  declare readonly errno?: number
  declare readonly syscall?: string
  declare readonly address?: string
  declare readonly port?: number
  declare readonly count?: number

  constructor(
    code: ErrorCode | (string & {}),
    message: string,
    options?: ErrorOptions & SystemErrorFields,
  ) {
    super(message, options)
    this.code = code
    if (options?.errno !== undefined) this.errno = options.errno
    if (options?.syscall !== undefined) this.syscall = options.syscall
    if (options?.address !== undefined) this.address = options.address
    if (options?.port !== undefined) this.port = options.port
    if (options?.count !== undefined) this.count = options.count
  }
}

/** Makes the error for an option of the wrong type, or out of range. */
export function invalidOption(name: string, expected: string, value: unknown): MillraceError {
  return new MillraceError(
    'ERR_INVALID_OPTION',
    `${name} has to be ${expected}, not ${shown(value)}`,
  )
}

/** Turns anything that was thrown into an Error, with the thrown value as its `cause`. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(shown(thrown, String), { cause: thrown })
}

/** Shows any value as text, even an object whose `toString` throws. */
export function shown(value: unknown, text: (text: string) => string = JSON.stringify): string {
  if (typeof value === 'string') return text(value)
  try {
    return String(value)
  } catch {
    return Object.prototype.toString.call(value)
  }
}
