/** Starts a server. */

import { type BindAddress, formatAddress, resolve, unixName } from './address.js'
import { nativeError, systemError } from './close-error.js'
import { theEnvironment } from './environment.js'
import type { MillraceError } from './errors.js'
import { raw } from './framing.js'
import { type Group, groupFor } from './group.js'
import type { Handlers } from './handlers.js'
import { Listener } from './listener.js'
import {
  bind,
  createService,
  dropService,
  errorName,
  type ListenInit,
  listen,
  unbind,
} from './native.js'
import { check, profileInit, type ServeOptions, type Settings } from './options.js'
import { type Server, ServerHandle } from './server.js'

/** How often a free port is sought that all addresses of one host name have free. */
const PORT_ATTEMPTS = 16

/**
 * Listens, and calls the handlers for what comes in.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_INLINE_UNSUPPORTED`, or the system's error
 *   of binding, such as `EADDRINUSE`: then nothing is bound
 */
export async function serve<In = Buffer, Out = Uint8Array | string, Data = undefined>(
  options: ServeOptions<In, Out, Data>,
): Promise<Server<In, Out, Data>> {
  const settings = check(options as unknown as ServeOptions<never, never, never>, raw())
  const { signal } = options
  signal?.throwIfAborted()
  const addresses = await Promise.all(settings.listen.map(resolve))
  signal?.throwIfAborted()
  const group = groupFor(options.loops, options.ringBytes, (owner) =>
    owner instanceof ServerHandle ? owner.group : undefined,
  )
  let server: ServerHandle
  try {
    server = start(
      group,
      settings,
      options as unknown as Handlers<unknown, unknown, unknown>,
      addresses,
    )
  } catch (error) {
    group.leave()
    throw error
  }
  if (signal !== undefined) {
    const close = () => void server.close()
    signal.addEventListener('abort', close, { once: true })
    server.onStopped(() => signal.removeEventListener('abort', close))
  }
  return server as unknown as Server<In, Out, Data>
}

/** A socket that is bound. */
interface Bound {
  readonly number: number
  readonly listener: number
  readonly address: string
}

function start(
  group: Group,
  settings: Settings,
  handlers: Handlers<unknown, unknown, unknown>,
  addresses: BindAddress[][],
): ServerHandle {
  const environment = theEnvironment()
  const { handle } = environment
  const service = createService(handle, settings.balance, settings.maxConnections, settings.refuse)
  const bound: Bound[] = []
  try {
    // All are bound before one is accepted from: of a list that fails nothing is left.
    for (const each of addresses) bound.push(...bindAll(service, settings, each))
    // Only the first can fail, for want of a thread. Nothing is heard of them before this returns.
    for (const each of bound) acceptFrom(group, each)
  } catch (error) {
    for (const each of bound) unbind(handle, each.number)
    dropService(handle, service)
    throw error
  }
  const server = new ServerHandle(group, service, handlers)
  const listeners = bound.map((each) => {
    const listener = new Listener(
      each.listener,
      server,
      settings,
      handlers,
      each.address,
      group.loops,
    )
    environment.sources.set(each.listener, listener)
    return listener
  })
  server.started(listeners)
  return server
}

function acceptFrom(group: Group, bound: Bound): void {
  try {
    listen(theEnvironment().handle, group.number, bound.number)
  } catch (error) {
    throw nativeError(error)
  }
}

/** Binds all sockets of one address, on one port. */
function bindAll(service: number, settings: Settings, addresses: BindAddress[]): Bound[] {
  for (let attempt = 1; ; attempt++) {
    const bound: Bound[] = []
    let port: number | undefined
    try {
      for (const address of addresses) {
        const on = port === undefined || address.kind === 'unix' ? address : { ...address, port }
        const one = bindOne(service, settings, on)
        bound.push(one.bound)
        port = one.port
      }
      return bound
    } catch (error) {
      for (const each of bound) unbind(theEnvironment().handle, each.number)
      // The port that one address was given may be taken on another.
      const [first] = addresses
      const isAny = first?.kind === 'tcp' && first.port === 0 && bound.length > 0
      if (!isAny || (error as MillraceError).code !== 'EADDRINUSE' || attempt === PORT_ATTEMPTS)
        throw error
    }
  }
}

function bindOne(
  service: number,
  settings: Settings,
  address: BindAddress,
): { bound: Bound; port: number } {
  const environment = theEnvironment()
  const listener = environment.sourceNumber()
  const attempt = (place: Place) =>
    bind(environment.handle, service, {
      id: listener,
      ...place,
      backlog: settings.backlog,
      profile: profileInit(settings),
    })
  if (address.kind === 'unix') {
    const place = { path: unixName(address.path), port: 0, scope: 0, dualStack: false }
    const mode = settings.mode === undefined ? {} : { mode: settings.mode }
    const { errno, number } = attempt({ ...place, ...mode })
    if (errno !== 0) throw systemError(errno, 'listen', { address: address.path })
    return { bound: { number, listener, address: formatAddress(address) }, port: 0 }
  }
  let used = address
  let result = attempt(used)
  if (
    address.fallback !== undefined &&
    ['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(errorName(result.errno))
  ) {
    used = { ...address, host: address.fallback, dualStack: false }
    result = attempt(used)
  }
  const { host } = used
  if (result.errno !== 0)
    throw systemError(result.errno, 'listen', { address: host, port: address.port })
  const { number, port } = result
  return { bound: { number, listener, address: formatAddress({ ...used, port }) }, port }
}

/** Where to bind, as the native half takes it. */
type Place = Pick<ListenInit, 'host' | 'path' | 'mode' | 'port' | 'scope' | 'dualStack'>
