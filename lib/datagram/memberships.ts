/** The multicast groups that a datagram socket is in. */

import type { SettingInit } from '../native/binding.js'
import type { LoopSocket } from './loop-socket.js'
import type { LoopSockets } from './loop-sockets.js'

/** The groups that a socket has joined, and the loop socket that has joined them. */
export class Memberships {
  /** The groups, by the options that they were joined with. */
  readonly #groups = new Map<string, SettingInit>()
  /** Only one loop socket joins, because each one that has joined gets a copy. */
  #member: LoopSocket | undefined
  readonly #sockets: LoopSockets

  /** @param groups the groups that the first loop socket joined when it was bound */
  constructor(sockets: LoopSockets, groups: readonly SettingInit[]) {
    this.#sockets = sockets
    this.#member = sockets.first
    for (const setting of groups) this.#groups.set(nameOf(setting), setting)
  }

  /**
   * Joins a group.
   *
   * @returns false if no loop is left
   * @throws the system's error
   */
  join(setting: SettingInit): boolean {
    if (!this.#set(setting)) return false
    this.#groups.set(nameOf(setting), setting)
    return true
  }

  /** Leaves a group that was joined with the same options. Returns and throws as `join` does. */
  leave(setting: SettingInit): boolean {
    if (!this.#set(setting)) return false
    this.#groups.delete(nameOf(setting))
    return true
  }

  #set(setting: SettingInit): boolean {
    const member = this.#member
    const isMovable = this.#sockets.hasOther(member)
    // If the loop panics just now, the groups move to another loop, with this change.
    return member?.set(setting) || isMovable
  }

  /** Joins the groups on another loop, because the loop of `lost` has panicked. Reports what fails. */
  move(lost: LoopSocket, report: (error: Error) => void): void {
    if (lost !== this.#member) return
    this.#member = this.#sockets.firstOpen
    for (const setting of this.#groups.values()) {
      try {
        // A loop that does not have its socket any more has panicked too, and will say so.
        this.#member?.set(setting)
      } catch (error) {
        report(error as Error)
      }
    }
  }
}

/** Returns a name that tells memberships apart. */
function nameOf({ value, group, interface: own, source }: SettingInit): string {
  return JSON.stringify([group, value, own, source])
}
