/** What this system is, and what this machine has. */

import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import type { ExecutionContext } from 'ava'

export const IS_LINUX: boolean = process.platform === 'linux'
export const IS_WINDOWS: boolean = process.platform === 'win32'

/** Whether several sockets can share a port, and the kernel spreads over them what comes. */
export const CAN_SHARE: boolean = IS_LINUX || process.platform === 'freebsd'

/** A spec that this system cannot run says why. */
export function skip(t: ExecutionContext, why: string): void {
  t.log(`skipped: ${why}`)
  t.pass()
}

/** The first address of this machine that is wanted, and its interface. */
export function interfaceWith(
  wanted: (each: NetworkInterfaceInfo) => boolean,
): (NetworkInterfaceInfo & { name: string }) | undefined {
  const all = Object.entries(networkInterfaces()).flatMap(([name, infos = []]) =>
    infos.map((info) => ({ name, ...info })),
  )
  return all.find(wanted)
}
