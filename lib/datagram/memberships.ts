/** The multicast groups that a datagram socket is in. */

import type { SettingInit } from '../native/binding.js'
import type { LoopSocket } from './loop-socket.js'
import type { LoopSockets } from './loop-sockets.js'

/** The groups of one socket, and where it is in them. */
export class Memberships {
  /** By what was said when they were joined. */
  readonly #groups = new Map<string, SettingInit>()
  /** On one loop only, as each socket that has joined gets a copy. */
  #member: LoopSocket | undefined
  readonly #lanes: LoopSockets

  /** With the groups that were joined when its first lane was bound. */
  constructor(lanes: LoopSockets, groups: readonly SettingInit[]) {
    this.#lanes = lanes
    this.#member = lanes.first
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

  /** Leaves a group that was joined so; as `join`. */
  leave(setting: SettingInit): boolean {
    if (!this.#set(setting)) return false
    this.#groups.delete(nameOf(setting))
    return true
  }

  #set(setting: SettingInit): boolean {
    const member = this.#member
    const isMovable = this.#lanes.hasOther(member)
    // If its loop is lost just now, the groups as they are after this move to another one.
    return member?.set(setting) || isMovable
  }

  /** A loop was lost: joins its groups on another one, and tells what fails. */
  move(lost: LoopSocket, tell: (error: Error) => void): void {
    if (lost !== this.#member) return
    this.#member = this.#lanes.firstOpen
    for (const setting of this.#groups.values()) {
      try {
        // A loop that cannot is lost too, and will say so.
        this.#member?.set(setting)
      } catch (error) {
        tell(error as Error)
      }
    }
  }
}

/** Tells memberships apart. */
function nameOf({ value, group, interface: own, source }: SettingInit): string {
  return JSON.stringify([group, value, own, source])
}
