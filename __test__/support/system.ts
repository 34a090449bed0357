/** The system that runs the specs, and the interfaces of this machine. */

import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import test, { type ExecutionContext, type SkipFn, type TestFn } from 'ava'

export const IS_LINUX: boolean = process.platform === 'linux'
export const IS_WINDOWS: boolean = process.platform === 'win32'

/** Tests for some systems only; elsewhere they count as skipped. */
export const linux: TestFn | SkipFn = IS_LINUX ? test : test.skip
export const serialLinux: TestFn | SkipFn = IS_LINUX ? test.serial : test.skip
export const unix: TestFn | SkipFn = IS_WINDOWS ? test.skip : test

/** Whether several sockets can share a port, with the kernel distributing the input. */
export const CAN_SHARE: boolean = IS_LINUX || process.platform === 'freebsd'

/** Whether `::1` is an address of this machine. */
export const HAS_IPV6: boolean = interfaceWith(({ address }) => address === '::1') !== undefined

/** Passes a test that cannot run on this system, and logs why. */
export function skip(t: ExecutionContext, why: string): void {
  t.log(`skipped: ${why}`)
  t.pass()
}

/** The first matching address of this machine, with its interface. */
export function interfaceWith(
  wanted: (each: NetworkInterfaceInfo) => boolean,
): (NetworkInterfaceInfo & { name: string }) | undefined {
  const all = Object.entries(networkInterfaces()).flatMap(([name, infos = []]) =>
    infos.map((info) => ({ name, ...info })),
  )
  return all.find(wanted)
}
