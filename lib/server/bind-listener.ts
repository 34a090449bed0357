/** Binds the sockets of one entry of `listen`. */

import { formatAddress } from '../address/format.js'
import type { BindAddress, TcpAddress } from '../address/socket-address.js'
import { showPath, unixName } from '../address/unix-path.js'
import { toProfileInit } from '../connection/check-conn.js'
import { MillraceError } from '../errors.js'
import {
  type BindResult,
  bind,
  errorName,
  type ListenInit,
  listen,
  unbind,
} from '../native/binding.js'
import { nativeError, systemError } from '../native/system-error.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import { checkKind } from '../socket/socket-kinds.js'
import type { ListenSettings } from './check-serve.js'
import { LockedDirectory } from './locked-directory.js'

/** How often to look for a port that is free on all addresses of one entry. */
const PORT_ATTEMPTS = 16
/** The number of a group's common acceptor. Other acceptors are loops, by their position in the group. */
export const GROUP_ACCEPTOR = -1

/** A socket that is bound. */
interface BoundSocket {
  /** Identifies the socket in calls of the native half. */
  readonly number: number
  /** What accepts from the socket: a loop's position in the group, or {@link GROUP_ACCEPTOR}. */
  readonly acceptor: number
  /** Undefined for a Unix socket. */
  readonly port: number | undefined
  readonly address: string
}

/** The sockets of one entry of `listen`: bound, and then accepted from. */
export class BoundListener {
  readonly settings: ListenSettings
  /** Identifies the listener in records. */
  readonly number: number
  readonly #group: Group
  readonly #sockets: readonly BoundSocket[]

  /**
   * Binds all sockets, or none.
   *
   * @param ignoresLock whether paths are bound even if another process is binding in their directory
   * @throws {@link LockedDirectory} unless that is ignored, `ERR_INVALID_ADDRESS`, `ERR_INVALID_OPTION`, or the system's error
   */
  constructor(
    group: Group,
    service: number,
    settings: ListenSettings,
    addresses: readonly BindAddress[],
    ignoresLock: boolean,
  ) {
    this.settings = settings
    this.number = theEnvironment().originNumber()
    this.#group = group
    this.#sockets = new Binder(group, service, settings, this.number, ignoresLock).bindAll(
      addresses,
    )
  }

  /** The addresses without duplicates, in the order in which they were bound. */
  get addresses(): string[] {
    return [...new Set(this.#sockets.map((socket) => socket.address))]
  }

  /** What accepts: the positions of loops in the group, or {@link GROUP_ACCEPTOR}. */
  get acceptors(): number[] {
    return [...new Set(this.#sockets.map((socket) => socket.acceptor))]
  }

  get socketCount(): number {
    return this.#sockets.length
  }

  /**
   * Starts to accept connections.
   *
   * @throws the system's error
   */
  accept(): void {
    const { handle } = theEnvironment()
    try {
      for (const { number, acceptor } of this.#sockets) {
        listen(handle, this.#group.number, acceptor, number)
      }
    } catch (error) {
      throw nativeError(error)
    }
  }

  /** Closes the sockets. Only if `accept` was not called. */
  unbind(): void {
    unbindAll(this.#sockets)
  }
}

function unbindAll(sockets: readonly BoundSocket[]): void {
  for (const { number } of sockets) unbind(theEnvironment().handle, number)
}

/** Binds the sockets of one entry. */
class Binder {
  readonly #group: Group
  readonly #service: number
  readonly #settings: ListenSettings
  readonly #listener: number
  readonly #ignoresLock: boolean

  constructor(
    group: Group,
    service: number,
    settings: ListenSettings,
    listener: number,
    ignoresLock: boolean,
  ) {
    this.#ignoresLock = ignoresLock
    this.#group = group
    this.#service = service
    this.#settings = settings
    this.#listener = listener
  }

  /** Binds all addresses, on one port. */
  bindAll(addresses: readonly BindAddress[]): BoundSocket[] {
    const wanted = addresses.map((address) => this.#withOptions(address))
    for (let attempt = 1; ; attempt++) {
      const sockets: BoundSocket[] = []
      try {
        for (const address of wanted) this.#bindAddress(address, sockets)
        return sockets
      } catch (error) {
        unbindAll(sockets)
        // The system chose a port for the first address. The port may be taken on another address.
        const [first] = wanted
        const isAny = first?.kind === 'tcp' && first.port === 0 && sockets.length > 0
        if (!isAny || (error as MillraceError).code !== 'EADDRINUSE' || attempt === PORT_ATTEMPTS)
          throw error
      }
    }
  }

  /** Checks the entry's options against the kind of address, and applies `ipv6Only`. */
  #withOptions(address: BindAddress): BindAddress {
    const { ownSocketOptions, ipv6Only } = this.#settings
    checkKind(ownSocketOptions, address.kind)
    if (address.kind !== 'tcp' || ipv6Only === undefined) return address
    if (!address.host.includes(':')) {
      // The server's `ipv6Only` is meant for its IPv6 addresses.
      if (!ownSocketOptions.has('ipv6Only')) return address
      throw new MillraceError(
        'ERR_INVALID_OPTION',
        `ipv6Only cannot be set for ${address.host}: it needs an IPv6 address`,
      )
    }
    const { fallback, ...rest } = address
    const isDual = !ipv6Only
    return {
      ...rest,
      dualStack: isDual,
      ...(isDual && fallback !== undefined ? { fallback } : {}),
    }
  }

  /** Binds an address: one socket, or with `reusePort` one socket for each loop. */
  #bindAddress(address: BindAddress, sockets: BoundSocket[]): void {
    if (address.kind === 'unix') sockets.push(this.#unix(address.path))
    else if (address.kind === 'inherited') sockets.push(this.#inherit(address))
    else {
      for (const acceptor of this.#acceptors()) {
        const port = sockets[0]?.port ?? address.port
        sockets.push(this.#tcp({ ...address, port }, acceptor))
      }
    }
  }

  #acceptors(): number[] {
    if (!this.#settings.reusePort) return [GROUP_ACCEPTOR]
    return this.#group.loops.flatMap((loop, position) => (loop.isLost ? [] : [position]))
  }

  #bind(target: Partial<ListenInit>): BindResult {
    const { backlog, device, proxy, reusePort } = this.#settings
    const init = {
      id: this.#listener,
      port: 0,
      scope: 0,
      dualStack: false,
      reusePort,
      backlog,
      profile: toProfileInit(this.#settings),
      ...(device === undefined ? {} : { device }),
      ...(proxy === undefined ? {} : { proxy }),
      ...target,
    }
    try {
      return bind(theEnvironment().handle, this.#service, init)
    } catch (error) {
      throw nativeError(error)
    }
  }

  #unix(path: string): BoundSocket {
    const { mode } = this.#settings
    const target = { path: unixName(path), ignoresLock: this.#ignoresLock }
    const { errno, number } = this.#bind(mode === undefined ? target : { ...target, mode })
    if (errno !== 0 && errorName(errno) === 'EAGAIN') throw new LockedDirectory()
    if (errno !== 0) throw systemError(errno, 'listen', { address: path })
    return {
      number,
      acceptor: GROUP_ACCEPTOR,
      port: undefined,
      address: formatAddress({ kind: 'unix', path }),
    }
  }

  #tcp(address: TcpAddress, acceptor: number): BoundSocket {
    let used = address
    const attempt = () =>
      this.#bind({
        host: used.host,
        port: used.port,
        scope: used.scope,
        dualStack: used.dualStack,
      })
    let result = attempt()
    if (
      address.fallback !== undefined &&
      ['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(errorName(result.errno))
    ) {
      used = { ...address, host: address.fallback, dualStack: false }
      result = attempt()
    }
    const { errno, number, port } = result
    if (errno !== 0) {
      const { host } = used
      throw systemError(errno, 'listen', { address: host, port: address.port })
    }
    const { host, scope } = used
    // With the zone, as in `conn.local`: a link-local address is useless without its zone.
    const shown = scope === 0 ? host : `${host}%${scope}`
    return { number, acceptor, port, address: formatAddress({ kind: 'tcp', host: shown, port }) }
  }

  #inherit({ descriptor, asked }: { descriptor: number; asked: string }): BoundSocket {
    const { errno, number, host, port, path } = this.#bind({ descriptor })
    const invalid = (problem: string) =>
      new MillraceError('ERR_INVALID_ADDRESS', `descriptor ${descriptor} of ${asked} ${problem}`)
    switch (errno === 0 ? '' : errorName(errno)) {
      case '':
        break
      case 'EEXIST':
        throw invalid('is already used by another listener of this process')
      case 'EINVAL':
      case 'ENOTSOCK':
        throw invalid('is not a socket that listens for streams')
      default:
        throw systemError(errno, 'listen', { address: asked })
    }
    const address =
      host === undefined
        ? formatAddress({ kind: 'unix', path: showPath(path ?? Buffer.alloc(0)) })
        : formatAddress({ kind: 'tcp', host, port })
    const isUnix = host === undefined
    const socket = {
      number,
      acceptor: GROUP_ACCEPTOR,
      port: isUnix ? undefined : port,
      address,
    }
    try {
      checkKind(this.#settings.ownSocketOptions, isUnix ? 'unix' : 'tcp')
    } catch (error) {
      unbindAll([socket])
      throw error
    }
    return socket
  }
}
