/** One try to connect to one address, until its loop has answered. */

import type { LocalAddress } from '../address/local-address.js'
import type { StreamAddress } from '../address/socket-address.js'
import { unixName } from '../address/unix-path.js'
import { nativeError, systemError } from '../connection/close-error.js'
import { MillraceError } from '../errors.js'
import { cancelConnect, connect, type DialInit } from '../native/binding.js'
import { KIND_DESTROY } from '../native/record.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import type { Loop } from '../runtime/loop.js'
import type { Origin } from '../runtime/origin.js'
import type { ConnSettings } from '../server/options.js'
import { profileNumber } from './profile-cache.js'

/** What all tries of one `connect` share. */
export interface AttemptPlan {
  readonly group: Group
  /** The one to use, if it was named. */
  readonly loop: Loop | undefined
  readonly local: LocalAddress | undefined
  /** The interface to use. */
  readonly device: string | undefined
  readonly paused: boolean
  /** What the connection is held to. */
  readonly conn: ConnSettings
}

/** Who waits for the answer. */
export interface AttemptOwner {
  /** The peer has taken it: an `OPEN` record, whose payload begins at `at`. */
  attemptOpened(
    attempt: ConnectAttempt,
    slot: number,
    generation: number,
    view: DataView,
    at: number,
  ): void
  /** It failed, or was cancelled. */
  attemptFailed(attempt: ConnectAttempt, error: MillraceError): void
}

/** It is answered exactly once, cancelled or not, and its loops have to stay until then. */
export class ConnectAttempt implements Origin {
  readonly #owner: AttemptOwner
  readonly #plan: AttemptPlan
  readonly #address: StreamAddress
  readonly #number: number
  #loop: Loop | undefined

  constructor(owner: AttemptOwner, plan: AttemptPlan, address: StreamAddress) {
    this.#owner = owner
    this.#plan = plan
    this.#address = address
    this.#number = theEnvironment().sourceNumber()
  }

  /**
   * Asks a loop to connect.
   *
   * @throws `ERR_LOOP_PANIC` if there is no loop left
   */
  start(): void {
    const environment = theEnvironment()
    const { group, loop } = this.#plan
    let index: number
    try {
      index = connect(environment.handle, group.number, loop?.index ?? -1, this.#init())
    } catch (error) {
      throw nativeError(error)
    }
    this.#loop = environment.loops[index]
    if (this.#loop === undefined) throw lostLoop()
    environment.sources.set(this.#number, this)
  }

  #init(): DialInit {
    const { local, device, paused, conn } = this.#plan
    const address = this.#address
    const init: DialInit = {
      id: this.#number,
      port: 0,
      scope: 0,
      paused,
      profile: profileNumber(conn),
    }
    if (address.kind === 'unix') {
      init.path = unixName(address.path)
      return init
    }
    init.host = address.host
    init.port = address.port
    init.scope = address.scope
    if (device !== undefined) init.device = device
    if (local !== undefined) init.local = local
    return init
  }

  /** Gives up. The answer may be on its way. */
  cancel(): void {
    const { handle } = theEnvironment()
    cancelConnect(handle, this.#plan.group.number, this.#loop?.index ?? 0, this.#number)
  }

  /** The loop that connects. */
  get loop(): Loop {
    if (this.#loop === undefined) throw new TypeError('not started')
    return this.#loop
  }

  /** Drops the connection that came of it, of which nobody has heard. */
  drop(slot: number, generation: number): void {
    this.loop.outbound.control(KIND_DESTROY, { slot, generation })
    this.loop.wrote()
  }

  opens(_loop: Loop, slot: number, generation: number, view: DataView, at: number): void {
    this.#answered()
    this.#owner.attemptOpened(this, slot, generation, view, at)
  }

  told(_kind: number, _loop: Loop, errno: number): void {
    this.#answered()
    this.#owner.attemptFailed(this, connectError(errno, this.#address))
  }

  lost(loop: Loop): void {
    if (loop !== this.#loop) return
    this.#answered()
    this.#owner.attemptFailed(this, lostLoop())
  }

  #answered(): void {
    theEnvironment().sources.delete(this.#number)
  }
}

function connectError(errno: number, address: StreamAddress): MillraceError {
  const place =
    address.kind === 'unix'
      ? { address: address.path }
      : { address: address.host, port: address.port }
  return systemError(errno, 'connect', place)
}

function lostLoop(): MillraceError {
  return new MillraceError('ERR_LOOP_PANIC', 'the event loop that was connecting is lost')
}
