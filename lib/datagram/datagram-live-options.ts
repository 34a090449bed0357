/** The options of a datagram socket that can change while it is open. */

import { MillraceError } from '../errors.js'
import { hasSocketOption, type SettingInit } from '../native/binding.js'
import { OPTION_DSCP } from '../native/record.js'
import type { SocketOptions } from '../socket/socket-options.js'
import { checkNames, flag, INT, whole } from '../util/checks.js'

/**
 * The options of a datagram socket that can be changed, and read, while the socket is open.
 *
 * @example
 * ```ts
 * const options: DatagramSocketOptions = { receiveBuffer: 4 * 1024 * 1024, dscp: 46 }
 * await socket.setSocketOptions(options)
 * ```
 */
export type DatagramSocketOptions = Pick<SocketOptions, 'receiveBuffer' | 'sendBuffer' | 'dscp'>

const LIVE_NAMES: ReadonlySet<string> = new Set(['receiveBuffer', 'sendBuffer', 'dscp'])

/**
 * Checks options that are to be changed.
 *
 * @returns the options as the native half takes them
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function checkLiveOptions(options: DatagramSocketOptions): SettingInit[] {
  checkNames(options, LIVE_NAMES)
  return liveSettings(options)
}

/**
 * Checks the options that can change, among others.
 *
 * @returns the options as the native half takes them
 * @throws `ERR_INVALID_OPTION`, `ERR_UNSUPPORTED`
 */
export function liveSettings(options: DatagramSocketOptions): SettingInit[] {
  const settings = [
    ...numberSetting('receiveBuffer', options.receiveBuffer, 1, INT),
    ...numberSetting('sendBuffer', options.sendBuffer, 1, INT),
    ...numberSetting('dscp', options.dscp, 0, 63),
  ]
  if (options.dscp !== undefined && !hasSocketOption(OPTION_DSCP)) {
    throw new MillraceError('ERR_UNSUPPORTED', `${process.platform} does not have dscp`)
  }
  return settings
}

/**
 * Checks a whole number from `least` to `most`.
 *
 * @param name the name of the setting
 * @param option the name of the option, for the message
 * @returns one setting, or none if the value is undefined
 * @throws `ERR_INVALID_OPTION`
 */
export function numberSetting(
  name: string,
  value: unknown,
  least: number,
  most: number,
  option: string = name,
): SettingInit[] {
  return value === undefined ? [] : [{ name, value: whole(option, value, 0, least, most) }]
}

/**
 * Checks a boolean. Parameters and errors are those of {@link numberSetting}.
 *
 * @returns one setting, or none if the value is undefined
 */
export function flagSetting(name: string, value: unknown, option: string = name): SettingInit[] {
  return value === undefined ? [] : [{ name, value: Number(flag(option, value, false)) }]
}
