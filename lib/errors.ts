/** The class of all errors that millrace makes, and their codes. docs/errors.md explains each code. */

/**
 * The codes of millrace's own errors. System errors have the codes that Node gives them, such as
 * `ECONNRESET`.
 *
 * @example
 * ```ts
 * const ignored: ReadonlySet<string> = new Set<ErrorCode>(['ERR_CLOSED', 'ERR_LINGER_TIMEOUT'])
 * await serve({
 *   listen: 9000,
 *   close: (_conn, error) => {
 *     if (error?.code !== undefined && !ignored.has(error.code)) console.error(error)
 *   },
 * })
 * ```
 */
export type ErrorCode =
  | 'ERR_CLOSED'
  | 'ERR_CLOSE_TIMEOUT'
  | 'ERR_CONNECT_TIMEOUT'
  | 'ERR_DECODE_ASYNC'
  | 'ERR_CONTEXT_ASYNC'
  | 'ERR_ENCODE_ASYNC'
  | 'ERR_FILE_CHANGED'
  | 'ERR_FILE_TOO_SHORT'
  | 'ERR_FIRST_MESSAGE_TIMEOUT'
  | 'ERR_FRAME_INCOMPLETE'
  | 'ERR_FRAME_INVALID'
  | 'ERR_FRAME_NOT_CONSUMED'
  | 'ERR_FRAME_TIMEOUT'
  | 'ERR_FRAME_TOO_LARGE'
  | 'ERR_HANDLER_TIMEOUT'
  | 'ERR_IDLE_TIMEOUT'
  | 'ERR_INLINE_UNSUPPORTED'
  | 'ERR_INTERNAL'
  | 'ERR_INVALID_ADDRESS'
  | 'ERR_INVALID_OPTION'
  | 'ERR_LINGER_TIMEOUT'
  | 'ERR_LOOP_PANIC'
  | 'ERR_MAX_LIFETIME'
  | 'ERR_NOT_A_FILE'
  | 'ERR_NO_BINARY'
  | 'ERR_PIPED'
  | 'ERR_PIPE_BROKEN'
  | 'ERR_READER_STALE'
  | 'ERR_RECEIVE_TIMEOUT'
  | 'ERR_UNSUPPORTED'
  | 'ERR_WRITE_BUFFER_FULL'
  | 'ERR_WRITE_TIMEOUT'
  | 'ERR_WRITER_STALE'

/**
 * An error that a handler gets: from millrace, from the system, or thrown by the user's code.
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
  /**
   * One of {@link ErrorCode}, or the name of a system error such as `ECONNRESET`. Undefined if the user's
   * code threw an error without a code.
   */
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
  /** The IP address, the path or the host name that the call was about. */
  address?: string
  /** The port that the call was about. */
  port?: number
  /** The number of calls that failed, if a datagram socket reports several equal errors as one. */
  count?: number
}

/**
 * An error that millrace makes. Compare `code`, because messages may change in any release.
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
  // `declare`, so that an error does not have the fields that it was not given.
  /** The system's error number, negative as in Node. Only for system errors, as the fields below. */
  declare readonly errno?: number
  /** The system call that failed, such as `listen`. */
  declare readonly syscall?: string
  /** The IP address, the path or the host name that the call was about. */
  declare readonly address?: string
  /** The port that the call was about. */
  declare readonly port?: number
  /** The number of calls that failed, if a datagram socket reports several equal errors as one. */
  declare readonly count?: number

  /**
   * Makes an error.
   *
   * @param options the `cause`, and the fields of a system error
   */
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

/**
 * Makes the error for an option whose value is of the wrong type, or out of range.
 *
 * @param expected what the value has to be, such as `'a function'`
 */
export function invalidOption(name: string, expected: string, value: unknown): MillraceError {
  return new MillraceError(
    'ERR_INVALID_OPTION',
    `${name} has to be ${expected}, not ${shown(value)}`,
  )
}

/** Returns a thrown error as it is. Any other thrown value becomes the `cause` of a new error. */
export function toError(thrown: unknown): Error {
  try {
    if (thrown instanceof Error) return thrown
  } catch {
    // A revoked proxy, which nothing can be asked of.
  }
  return new Error(textOf(thrown), { cause: thrown })
}

/** Shows a value in a message: a string in quotes, and any other value as in code. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (isArray(value)) return value.length === 0 ? '[]' : 'an array'
  // The text of a function is its source.
  return typeof value === 'function' ? 'a function' : textOf(value)
}

function isArray(value: unknown): value is unknown[] {
  try {
    return Array.isArray(value)
  } catch {
    // A revoked proxy, which nothing can be asked of.
    return false
  }
}

/** Converts any value to text, even an object whose `toString` throws. */
function textOf(value: unknown): string {
  for (const text of [String, (each: unknown) => Object.prototype.toString.call(each)]) {
    try {
      return text(value)
    } catch {}
  }
  return 'a value that cannot be shown'
}
