/** Starts a server. */

import { resolve } from './address/resolve.js'
import type { BindAddress } from './address/socket-address.js'
import { raw } from './codec/framing.js'
import type { Handlers } from './connection/handlers.js'
import { createService, dropService } from './native/binding.js'
import { theEnvironment } from './runtime/environment.js'
import { type Group, groupFor } from './runtime/group.js'
import { BoundListener } from './server/bind-listener.js'
import { check, type ServeOptions, type Settings } from './server/options.js'
import { type Server, ServerImpl } from './server/server.js'

/**
 * Listens, and calls the handlers for what comes in.
 *
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED`, `ERR_INLINE_UNSUPPORTED`, or
 *   the system's error of binding, such as `EADDRINUSE`: then nothing is bound
 */
export async function serve<In = Buffer, Out = Uint8Array | string, Context = undefined>(
  options: ServeOptions<In, Out, Context>,
): Promise<Server<In, Out, Context>> {
  const settings = check(options as unknown as ServeOptions<never, never, never>, raw())
  const { signal } = options
  signal?.throwIfAborted()
  const addresses = await Promise.all(settings.listen.map((each) => resolve(each.address)))
  signal?.throwIfAborted()
  const group = groupFor(options.loops, options.ringBytes, (owner) =>
    owner instanceof ServerImpl ? owner.group : undefined,
  )
  let server: ServerImpl
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
  return server as unknown as Server<In, Out, Context>
}

function start(
  group: Group,
  settings: Settings,
  handlers: Handlers<unknown, unknown, unknown>,
  addresses: BindAddress[][],
): ServerImpl {
  const { handle } = theEnvironment()
  const service = createService(handle, settings.balance, settings.maxConnections, settings.refuse)
  const bounds: BoundListener[] = []
  try {
    // All are bound before one is accepted from: of a list that fails nothing is left.
    for (const [at, each] of settings.listen.entries()) {
      bounds.push(new BoundListener(group, service, each, addresses[at] as BindAddress[]))
    }
    const server = new ServerImpl(group, service, settings.entry, handlers)
    server.start(bounds)
    return server
  } catch (error) {
    for (const each of bounds) each.giveUp()
    dropService(handle, service)
    throw error
  }
}
