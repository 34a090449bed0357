/** The multicast groups that a datagram socket has joined. */

import type { SettingInit } from '../native/binding.js'
import type { LoopSocket } from './loop-socket.js'
import type { LoopSockets } from './loop-sockets.js'

/** The groups that a datagram socket has joined, and the loop socket that receives their datagrams. */
export class Memberships {
  /** The memberships by their keys: see {@link keyOf}. */
  readonly #groups = new Map<string, SettingInit>()
  /** The loop socket that joins. Only one does, because each one would get a copy of every datagram. */
  #member: LoopSocket | undefined
  readonly #sockets: LoopSockets

  /** @param groups the groups that the first loop socket joined when it was bound */
  constructor(sockets: LoopSockets, groups: readonly SettingInit[]) {
    this.#sockets = sockets
    this.#member = sockets.first
    for (const setting of groups) this.#groups.set(keyOf(setting), setting)
  }

  /**
   * Joins a group.
   *
   * @returns false if no loop is left
   * @throws the system's error
   */
  join(setting: SettingInit): boolean {
    if (!this.#set(setting)) return false
    this.#groups.set(keyOf(setting), setting)
    return true
  }

  /** Leaves a group that was joined with the same options. Returns and throws as `join` does. */
  leave(setting: SettingInit): boolean {
    if (!this.#set(setting)) return false
    this.#groups.delete(keyOf(setting))
    return true
  }

  #set(setting: SettingInit): boolean {
    const member = this.#member
    const isMovable = this.#sockets.hasOther(member)
    // If the loop has panicked just now, the groups move to another loop, and this change with them.
    return member?.set(setting) || isMovable
  }

  /** Joins the groups on another loop, because the loop of `lost` has panicked. Reports failures. */
  move(lost: LoopSocket, report: (error: Error) => void): void {
    if (lost !== this.#member) return
    this.#member = this.#sockets.firstOpen
    for (const setting of this.#groups.values()) {
      try {
        // If this loop has panicked too, its loop socket will move the groups again.
        this.#member?.set(setting)
      } catch (error) {
        report(error as Error)
      }
    }
  }
}

/** Returns a text that is the same for equal memberships only. */
function keyOf({ value, group, interface: ownAddress, source }: SettingInit): string {
  return JSON.stringify([group, value, ownAddress, source])
}
