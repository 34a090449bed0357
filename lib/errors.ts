/** The one class of errors, each with a code that has a heading in docs/errors.md. */

/** Codes that millrace gives itself. System errors keep Node's names, such as `ECONNRESET`. */
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
 * close(conn, error) {
 *   if (error?.code === 'ECONNRESET') resets++
 * }
 * ```
 */
export interface CodedError extends Error {
  /** One of {@link ErrorCode}, or a system error's name such as `ECONNRESET`. */
  code?: string | undefined
}

/** What a system error tells beside its code. */
export interface SystemErrorFields {
  /** The system's number. */
  errno?: number
  /** The call that failed. */
  syscall?: string
  /** The address it concerned. */
  address?: string
  /** The port it concerned. */
  port?: number
  /** On a datagram socket, where many of a kind are told as one: how many calls failed. */
  count?: number
}

/** Every error that millrace makes. Look at `code`, not at the message. */
export class MillraceError extends Error implements SystemErrorFields {
  override readonly name = 'MillraceError'
  /** One of {@link ErrorCode}, or a system error's name such as `EADDRINUSE`. */
  readonly code: ErrorCode | (string & {})
  // Declared only: a field that is not given is not there.
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

/** An error for an option of the wrong type or out of range. */
export function invalidOption(name: string, expected: string, value: unknown): MillraceError {
  return new MillraceError(
    'ERR_INVALID_OPTION',
    `${name} has to be ${expected}, not ${shown(value)}`,
  )
}

/** Whatever was thrown, as an Error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(shown(thrown, String), { cause: thrown })
}

/** Any value as text. Some objects refuse to be text, and would throw. */
function shown(value: unknown, text: (text: string) => string = JSON.stringify): string {
  if (typeof value === 'string') return text(value)
  try {
    return String(value)
  } catch {
    return Object.prototype.toString.call(value)
  }
}
