/** One attempt to connect to one address. */

import type { LocalAddress } from '../address/local-address.js'
import type { StreamAddress } from '../address/socket-address.js'
import { unixName } from '../address/unix-path.js'
import type { ConnSettings } from '../connection/check-conn.js'
import { MillraceError } from '../errors.js'
import { cancelConnect, connect, type DialInit, errorName } from '../native/binding.js'
import { KIND_DESTROY } from '../native/record.js'
import { nativeError, systemError } from '../native/system-error.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import type { Loop } from '../runtime/loop.js'
import type { Origin } from '../runtime/origin.js'
import type { Scope } from '../util/scope.js'
import { profileNumber } from './profile-cache.js'

/** The settings that all attempts of one dialer share. */
export interface AttemptPlan {
  readonly group: Group
  /** The loop to use. Undefined: the loop of the group with the fewest connections. */
  readonly loop: Loop | undefined
  readonly local: LocalAddress | undefined
  /** The name of the network interface to use. */
  readonly device: string | undefined
  /** Whether the loop reads nothing until it is told to. */
  readonly isPaused: boolean
  readonly conn: ConnSettings
}

/** Receives the result of an attempt. */
export interface AttemptObserver {
  /** The connection is open. The payload of its `OPEN` record begins at `at`. */
  attemptOpened(
    attempt: ConnectAttempt,
    slot: number,
    generation: number,
    view: DataView,
    at: number,
  ): void
  /** Where the handlers of the connection run. */
  readonly scope: Scope
  /** The attempt failed, or was cancelled. */
  attemptFailed(attempt: ConnectAttempt, error: MillraceError): void
}

/**
 * Asks a loop to connect to one address. The owner gets exactly one result, even if the attempt is
 * cancelled. The loop has to go on until then.
 */
export class ConnectAttempt implements Origin {
  readonly #owner: AttemptObserver
  readonly #plan: AttemptPlan
  readonly #address: StreamAddress
  /** Identifies the attempt in records. */
  readonly #number: number
  #loop: Loop | undefined

  constructor(owner: AttemptObserver, plan: AttemptPlan, address: StreamAddress) {
    this.#owner = owner
    this.#plan = plan
    this.#address = address
    this.#number = theEnvironment().originNumber()
  }

  get scope(): Scope {
    return this.#owner.scope
  }

  /**
   * Asks the loop to connect.
   *
   * @throws `ERR_LOOP_PANIC` if no loop is left
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
    environment.origins.set(this.#number, this)
  }

  #init(): DialInit {
    const { local, device, isPaused, conn } = this.#plan
    const address = this.#address
    const init: DialInit = {
      id: this.#number,
      port: 0,
      scope: 0,
      paused: isPaused,
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

  /** Cancels the attempt. A result may be on its way already. */
  cancel(): void {
    const { handle } = theEnvironment()
    cancelConnect(handle, this.#plan.group.number, this.#loop?.index ?? 0, this.#number)
  }

  /** The loop that connects. Only after `start`. */
  get loop(): Loop {
    if (this.#loop === undefined) throw new TypeError('the attempt was not started')
    return this.#loop
  }

  /** Destroys the connection that the attempt made, and that nobody needs any more. */
  drop(slot: number, generation: number): void {
    this.loop.outbound.control(KIND_DESTROY, { slot, generation })
    this.loop.wrote()
  }

  onOpen(_loop: Loop, slot: number, generation: number, view: DataView, at: number): void {
    this.#finish()
    this.#owner.attemptOpened(this, slot, generation, view, at)
  }

  onNews(_kind: number, _loop: Loop, errno: number): void {
    this.#finish()
    this.#owner.attemptFailed(this, connectError(errno, this.#address, this.#plan.local))
  }

  onLoopLost(loop: Loop): void {
    if (loop !== this.#loop) return
    this.#finish()
    this.#owner.attemptFailed(this, lostLoop())
  }

  #finish(): void {
    theEnvironment().origins.delete(this.#number)
  }
}

function connectError(
  errno: number,
  address: StreamAddress,
  local: LocalAddress | undefined,
): MillraceError {
  // The address that this machine does not have is our own.
  if (local !== undefined && errorName(errno) === 'EADDRNOTAVAIL') {
    return systemError(errno, 'bind', { address: local.host, port: local.port })
  }
  const target =
    address.kind === 'unix'
      ? { address: address.path }
      : { address: address.host, port: address.port }
  return systemError(errno, 'connect', target)
}

function lostLoop(): MillraceError {
  return new MillraceError('ERR_LOOP_PANIC', 'the event loop that was connecting has panicked')
}
