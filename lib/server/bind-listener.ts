/** Binds the sockets of one entry of `listen`. */

import { formatAddress } from '../address/format.js'
import type { BindAddress, TcpAddress } from '../address/socket-address.js'
import { showPath, unixName } from '../address/unix-path.js'
import { toProfileInit } from '../connection/conn-options.js'
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
import type { ListenSettings } from './options.js'

/** How often to try for a port that is free for all sockets of one entry. */
const PORT_ATTEMPTS = 16
/** Stands for the acceptor of a group, among the places of its loops. */
const GROUP_ACCEPTOR = -1

/** A socket that is bound. */
interface Socket {
  /** Names the socket in calls of the native half. */
  readonly number: number
  /** Who accepts from the socket: the place of a loop in the group, or -1 for the group's acceptor. */
  readonly acceptor: number
  /** Undefined for a Unix socket. */
  readonly port: number | undefined
  readonly address: string
}

/** The sockets of one entry of `listen`: bound, and then accepted from. */
export class BoundListener {
  readonly settings: ListenSettings
  /** Names the listener in records. */
  readonly number: number
  readonly #group: Group
  readonly #sockets: readonly Socket[]

  /**
   * Binds all sockets, or none.
   *
   * @throws `ERR_INVALID_ADDRESS`, `ERR_INVALID_OPTION`, or the system's error
   */
  constructor(
    group: Group,
    service: number,
    settings: ListenSettings,
    addresses: readonly BindAddress[],
  ) {
    this.settings = settings
    this.number = theEnvironment().originNumber()
    this.#group = group
    this.#sockets = new Binder(group, service, settings, this.number).all(addresses)
  }

  /** Each address once, in the order in which the addresses were bound. */
  get addresses(): string[] {
    return [...new Set(this.#sockets.map((socket) => socket.address))]
  }

  /** Who accepts: places of loops in the group, or -1 for the group's acceptor. */
  get acceptors(): number[] {
    return [...new Set(this.#sockets.map((socket) => socket.acceptor))]
  }

  get socketCount(): number {
    return this.#sockets.length
  }

  /**
   * Begins to accept.
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

  /** Closes the sockets, if `accept` was not called. */
  unbind(): void {
    unbindAll(this.#sockets)
  }
}

function unbindAll(sockets: readonly Socket[]): void {
  for (const { number } of sockets) unbind(theEnvironment().handle, number)
}

/** Binds the sockets of one entry. */
class Binder {
  readonly #group: Group
  readonly #service: number
  readonly #settings: ListenSettings
  readonly #listener: number

  constructor(group: Group, service: number, settings: ListenSettings, listener: number) {
    this.#group = group
    this.#service = service
    this.#settings = settings
    this.#listener = listener
  }

  /** Binds all addresses, on one port. */
  all(addresses: readonly BindAddress[]): Socket[] {
    const wanted = addresses.map((address) => this.#apply(address))
    for (let attempt = 1; ; attempt++) {
      const sockets: Socket[] = []
      try {
        for (const address of wanted) this.#on(address, sockets)
        return sockets
      } catch (error) {
        unbindAll(sockets)
        // The port that the first socket was given may be taken for another one.
        const [first] = wanted
        const isAny = first?.kind === 'tcp' && first.port === 0 && sockets.length > 0
        if (!isAny || (error as MillraceError).code !== 'EADDRINUSE' || attempt === PORT_ATTEMPTS)
          throw error
      }
    }
  }

  /** Applies the options to an address. */
  #apply(address: BindAddress): BindAddress {
    const { named, ipv6Only } = this.#settings
    checkKind(named, address.kind)
    if (address.kind !== 'tcp' || ipv6Only === undefined) return address
    if (!address.host.includes(':')) {
      if (!named.has('ipv6Only')) return address
      throw new MillraceError(
        'ERR_INVALID_OPTION',
        `ipv6Only cannot be set for ${address.host}, which is not an IPv6 address`,
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

  /** Binds an address: once, or with `reusePort` once for each loop. */
  #on(address: BindAddress, sockets: Socket[]): void {
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
    return this.#group.loops.flatMap((loop, place) => (loop.isDead ? [] : [place]))
  }

  #bind(place: Partial<ListenInit>): BindResult {
    const { backlog, device, reusePort } = this.#settings
    const init = {
      id: this.#listener,
      port: 0,
      scope: 0,
      dualStack: false,
      reusePort,
      backlog,
      profile: toProfileInit(this.#settings),
      ...(device === undefined ? {} : { device }),
      ...place,
    }
    try {
      return bind(theEnvironment().handle, this.#service, init)
    } catch (error) {
      throw nativeError(error)
    }
  }

  #unix(path: string): Socket {
    const { mode } = this.#settings
    const place = { path: unixName(path), ...(mode === undefined ? {} : { mode }) }
    const { errno, number } = this.#bind(place)
    if (errno !== 0) throw systemError(errno, 'listen', { address: path })
    return {
      number,
      acceptor: GROUP_ACCEPTOR,
      port: undefined,
      address: formatAddress({ kind: 'unix', path }),
    }
  }

  #tcp(address: TcpAddress, acceptor: number): Socket {
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
    // With its zone, as `conn.local` shows it: a link-local address means nothing without.
    const shown = scope === 0 ? host : `${host}%${scope}`
    return { number, acceptor, port, address: formatAddress({ kind: 'tcp', host: shown, port }) }
  }

  #inherit({ descriptor, asked }: { descriptor: number; asked: string }): Socket {
    const { errno, number, host, port, path } = this.#bind({ descriptor })
    const invalid = (why: string) =>
      new MillraceError('ERR_INVALID_ADDRESS', `descriptor ${descriptor} of ${asked} ${why}`)
    switch (errno === 0 ? '' : errorName(errno)) {
      case '':
        break
      case 'EEXIST':
        throw invalid('is a socket that a listener of ours has already')
      case 'EINVAL':
      case 'ENOTSOCK':
        throw invalid('is not a listening stream socket')
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
      checkKind(this.#settings.named, isUnix ? 'unix' : 'tcp')
    } catch (error) {
      unbindAll([socket])
      throw error
    }
    return socket
  }
}
