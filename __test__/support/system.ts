/** What this system is, and what this machine has. */

import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import test, { type ExecutionContext, type SkipFn, type TestFn } from 'ava'

export const IS_LINUX: boolean = process.platform === 'linux'
export const IS_WINDOWS: boolean = process.platform === 'win32'

/** Tests of what only some systems have; elsewhere they count as skipped. */
export const linux: TestFn | SkipFn = IS_LINUX ? test : test.skip
export const serialLinux: TestFn | SkipFn = IS_LINUX ? test.serial : test.skip
export const unix: TestFn | SkipFn = IS_WINDOWS ? test.skip : test

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
