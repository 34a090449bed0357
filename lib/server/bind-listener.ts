/** The sockets of one entry of `listen`: bound, and then accepted from. */

import { formatAddress } from '../address/format.js'
import type { BindAddress, TcpAddress } from '../address/socket-address.js'
import { showPath, unixName } from '../address/unix-path.js'
import { nativeError, systemError } from '../connection/close-error.js'
import { MillraceError } from '../errors.js'
import {
  type BindResult,
  bind,
  errorName,
  type ListenInit,
  listen,
  unbind,
} from '../native/binding.js'
import { theEnvironment } from '../runtime/environment.js'
import type { Group } from '../runtime/group.js'
import { checkKind } from '../socket/socket-kinds.js'
import { type ListenSettings, profileInit } from './options.js'

/** How often a free port is sought that all sockets of one entry have free. */
const PORT_ATTEMPTS = 16
/** The place of whoever accepts for a group. */
const GROUP = -1

/** A socket that is bound. */
interface Socket {
  /** As the native half knows it. */
  readonly number: number
  /** The loop that accepts of it, by its place in the group; -1 for whoever accepts for the group. */
  readonly lane: number
  readonly port: number
  readonly address: string
}

/** All sockets of one entry of `listen`. */
export class BoundListener {
  readonly settings: ListenSettings
  /** The number under which loops speak of it. */
  readonly number: number
  readonly #group: Group
  readonly #sockets: readonly Socket[]

  /**
   * Binds all of them, or none.
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
    this.number = theEnvironment().sourceNumber()
    this.#group = group
    this.#sockets = new Binder(group, service, settings, this.number).all(addresses)
  }

  /** Each address once, in the order in which they were bound. */
  get addresses(): string[] {
    return [...new Set(this.#sockets.map((socket) => socket.address))]
  }

  /** Who accepts of it: places of loops in the group, or -1. */
  get lanes(): number[] {
    return [...new Set(this.#sockets.map((socket) => socket.lane))]
  }

  get sockets(): number {
    return this.#sockets.length
  }

  /** Begins to accept. */
  accept(): void {
    const { handle } = theEnvironment()
    try {
      for (const { number, lane } of this.#sockets) listen(handle, this.#group.number, lane, number)
    } catch (error) {
      throw nativeError(error)
    }
  }

  /** Closes what is not accepted from. */
  giveUp(): void {
    giveUp(this.#sockets)
  }
}

function giveUp(sockets: readonly Socket[]): void {
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

  /** All addresses of an entry, on one port. */
  all(addresses: readonly BindAddress[]): Socket[] {
    const wanted = addresses.map((address) => this.#apply(address))
    for (let attempt = 1; ; attempt++) {
      const sockets: Socket[] = []
      try {
        for (const address of wanted) this.#on(address, sockets)
        return sockets
      } catch (error) {
        giveUp(sockets)
        // The port that one was given may be taken on another.
        const [first] = wanted
        const isAny = first?.kind === 'tcp' && first.port === 0 && sockets.length > 0
        if (!isAny || (error as MillraceError).code !== 'EADDRINUSE' || attempt === PORT_ATTEMPTS)
          throw error
      }
    }
  }

  /** An address with what the options say of it. */
  #apply(address: BindAddress): BindAddress {
    const { named, ipv6Only } = this.#settings
    checkKind(named, address.kind)
    if (address.kind !== 'tcp' || ipv6Only === undefined) return address
    if (!address.host.includes(':')) {
      if (!named.has('ipv6Only')) return address
      throw new MillraceError('ERR_INVALID_OPTION', `ipv6Only is said of ${address.host}`)
    }
    const { fallback, ...rest } = address
    const isDual = !ipv6Only
    return {
      ...rest,
      dualStack: isDual,
      ...(isDual && fallback !== undefined ? { fallback } : {}),
    }
  }

  /** Binds an address: once, or with `reusePort` once for each loop that lives. */
  #on(address: BindAddress, sockets: Socket[]): void {
    if (address.kind === 'unix') sockets.push(this.#unix(address.path))
    else if (address.kind === 'inherited') sockets.push(this.#inherit(address))
    else {
      for (const lane of this.#lanes()) {
        const port = sockets[0]?.port ?? address.port
        sockets.push(this.#tcp({ ...address, port }, lane))
      }
    }
  }

  #lanes(): number[] {
    if (!this.#settings.reusePort) return [GROUP]
    return this.#group.loops.flatMap((loop, lane) => (loop.isDead ? [] : [lane]))
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
      profile: profileInit(this.#settings),
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
    return { number, lane: GROUP, port: 0, address: formatAddress({ kind: 'unix', path }) }
  }

  #tcp(address: TcpAddress, lane: number): Socket {
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
    // With its zone, as `local` shows it: without, a link-local address is nobody's.
    const shown = scope === 0 ? host : `${host}%${scope}`
    return { number, lane, port, address: formatAddress({ kind: 'tcp', host: shown, port }) }
  }

  #inherit({ descriptor, asked }: { descriptor: number; asked: string }): Socket {
    const { errno, number, host, port, path } = this.#bind({ descriptor })
    const invalid = (why: string) =>
      new MillraceError('ERR_INVALID_ADDRESS', `descriptor ${descriptor} of ${asked} ${why}`)
    switch (errno === 0 ? '' : errorName(errno)) {
      case '':
        break
      case 'EEXIST':
        throw invalid('is listened on already')
      case 'EINVAL':
      case 'ENOTSOCK':
        throw invalid('is no listening stream socket')
      default:
        throw systemError(errno, 'listen', { address: asked })
    }
    const address =
      host === undefined
        ? formatAddress({ kind: 'unix', path: showPath(path ?? Buffer.alloc(0)) })
        : formatAddress({ kind: 'tcp', host, port })
    const socket = { number, lane: GROUP, port, address }
    try {
      checkKind(this.#settings.named, host === undefined ? 'unix' : 'tcp')
    } catch (error) {
      giveUp([socket])
      throw error
    }
    return socket
  }
}
