/** Changes and reads the options of a connection's socket while it is open. */

import { getSocketOption, hasSocketOption, setSocketOptions } from '../native/binding.js'
import {
  OPTION_DSCP,
  OPTION_KEEP_ALIVE,
  OPTION_KEEP_COUNT,
  OPTION_KEEP_IDLE,
  OPTION_KEEP_INTERVAL,
  OPTION_NO_DELAY,
  OPTION_QUICK_ACK,
  OPTION_RECEIVE_BUFFER,
  OPTION_RESET,
  OPTION_SEND_BUFFER,
  OPTION_USER_TIMEOUT,
} from '../native/record.js'
import { systemError } from '../native/system-error.js'
import { socketPairs } from '../socket/option-pairs.js'
import { checkKind } from '../socket/socket-kinds.js'
import { type KeepAlive, SOCKET_NAMES, type SocketOptions } from '../socket/socket-options.js'
import { checkNames } from '../util/checks.js'
import type { ConnImpl } from './conn-impl.js'
import { CLOSED, DESTROYED } from './flags.js'

/** What a loop answers if it does not have the connection any more. */
const GONE = -1

function checkOpen(conn: ConnImpl): void {
  if (conn.flags & (CLOSED | DESTROYED)) throw conn.coldState().closedError()
}

/** Throws the error that an answer stands for. */
function check(conn: ConnImpl, errno: number, syscall: string): void {
  if (errno === GONE) throw conn.coldState().closedError()
  if (errno !== 0) throw systemError(errno, syscall)
}

const NAMES: ReadonlySet<string> = new Set(SOCKET_NAMES)

/**
 * Checks options that are to be changed.
 *
 * @param isUnix whether the connection is a Unix socket
 * @returns the options as the native half takes them
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
function checkLiveOptions(options: SocketOptions, isUnix: boolean): number[] {
  checkNames(options, NAMES, ' of a socket')
  const names = SOCKET_NAMES.filter((name) => options[name] !== undefined)
  checkKind(names, isUnix ? 'unix' : 'tcp')
  return socketPairs(options)
}

/** Changes options. Rejects with `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`, `ERR_CLOSED` or the system's error. */
export async function changeLiveOptions(conn: ConnImpl, options: SocketOptions): Promise<void> {
  const pairs = checkLiveOptions(options, conn.isUnix)
  checkOpen(conn)
  const loop = conn.eventLoop
  const { environment, index } = loop
  const { slot, generation } = conn
  const { errno } = await environment.questions.ask([loop], (ticket) =>
    setSocketOptions(environment.handle, index, slot, generation, pairs, ticket),
  )
  check(conn, errno, 'setsockopt')
}

/** Reads options from the kernel. Rejects with `ERR_CLOSED` or the system's error. */
export async function readLiveOptions(conn: ConnImpl): Promise<SocketOptions> {
  checkOpen(conn)
  const loop = conn.eventLoop
  const { environment, index } = loop
  const { slot, generation } = conn
  const get = async (option: number): Promise<number> => {
    const { errno, value } = await environment.questions.ask([loop], (ticket) =>
      getSocketOption(environment.handle, index, slot, generation, option, ticket),
    )
    check(conn, errno, 'getsockopt')
    return value
  }
  const values: Record<number, number> = {}
  const wanted = conn.isUnix
    ? [OPTION_RECEIVE_BUFFER, OPTION_SEND_BUFFER]
    : ALL_OPTIONS.filter(hasSocketOption)
  await Promise.all(
    wanted.map(async (option) => {
      values[option] = await get(option)
    }),
  )
  return toOptions(values)
}

/** The options that can be read. */
const ALL_OPTIONS = [
  OPTION_NO_DELAY,
  OPTION_KEEP_ALIVE,
  OPTION_KEEP_IDLE,
  OPTION_KEEP_INTERVAL,
  OPTION_KEEP_COUNT,
  OPTION_RESET,
  OPTION_RECEIVE_BUFFER,
  OPTION_SEND_BUFFER,
  OPTION_USER_TIMEOUT,
  OPTION_QUICK_ACK,
  OPTION_DSCP,
]

/** Converts numbers to options. Options that were not read are left out. */
function toOptions(values: Record<number, number>): SocketOptions {
  const bit = (option: number) => (values[option] === undefined ? undefined : values[option] !== 0)
  const milliseconds = (option: number) =>
    values[option] === undefined ? undefined : values[option] * 1000
  const keepAlive = withoutUndefined<KeepAlive>({
    idle: milliseconds(OPTION_KEEP_IDLE),
    interval: milliseconds(OPTION_KEEP_INTERVAL),
    count: values[OPTION_KEEP_COUNT],
  })
  const resets = bit(OPTION_RESET)
  return withoutUndefined<SocketOptions>({
    noDelay: bit(OPTION_NO_DELAY),
    keepAlive: bit(OPTION_KEEP_ALIVE) ? keepAlive : bit(OPTION_KEEP_ALIVE),
    linger: resets ? 0 : resets,
    receiveBuffer: values[OPTION_RECEIVE_BUFFER],
    sendBuffer: values[OPTION_SEND_BUFFER],
    userTimeout: values[OPTION_USER_TIMEOUT],
    quickAck: bit(OPTION_QUICK_ACK),
    dscp: values[OPTION_DSCP],
  })
}

/** Returns an object without the properties that are undefined. */
function withoutUndefined<T>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
}
