/** Starts servers. */

import { resolve } from './address/resolve.js'
import type { BindAddress } from './address/socket-address.js'
import type { FrameData } from './codec/frame-data.js'
import type { AnyHandlers } from './connection/conn-handlers.js'
import type { ConnOptions } from './connection/conn-options.js'
import { createService, dropService } from './native/binding.js'
import { joinGroup } from './runtime/choose-group.js'
import { theEnvironment } from './runtime/environment.js'
import type { Group } from './runtime/group.js'
import { BoundListener } from './server/bind-listener.js'
import { checkServe, type ServeSettings } from './server/check-serve.js'
import { whenUnlocked } from './server/locked-directory.js'
import type { ServeOptions } from './server/serve-options.js'
import type { Server } from './server/server.js'
import { ServerImpl } from './server/server-impl.js'
import { onAbort, unlessAborted } from './util/abort-signal.js'

/**
 * Starts a server: listens, accepts connections, and calls the handlers.
 *
 * @typeParam In the messages received, inferred from the codec. Default `Buffer`
 * @typeParam Out the messages sent, inferred from the codec. Default `FrameData`
 * @typeParam Context what the handler `context` returns
 * @param options where to listen, the codec, the handlers, and all other options
 * @returns the server, once it listens on all addresses
 * @throws `ERR_INVALID_OPTION`, `ERR_INVALID_ADDRESS`, `ERR_UNSUPPORTED`, `ERR_INLINE_UNSUPPORTED`; the
 *   resolver's error, such as `ENOTFOUND`, or the system's, such as `EADDRINUSE`; the reason of `signal`.
 *   Nothing is bound then
 * @example
 * ```ts
 * const server = await serve({
 *   listen: 'tcp://127.0.0.1:9000',
 *   message: (conn, chunk) => conn.write(chunk),
 * })
 * ```
 */
// `& ConnOptions` adds nothing to the type. Without it TypeScript infers no messages from `codec` when
// `listen` is missing, and then complains about the codec instead.
export async function serve<In = Buffer, Out = FrameData, Context = undefined>(
  options: ServeOptions<In, Out, Context> & ConnOptions<In, Out>,
): Promise<Server<In, Out, Context>> {
  const settings = checkServe(options as unknown as ServeOptions<never, never, never>)
  const { signal } = options
  signal?.throwIfAborted()
  const lookUps = Promise.all(settings.listen.map((entry) => resolve(entry.address)))
  const addresses = await unlessAborted(signal, lookUps)
  signal?.throwIfAborted()
  const group = joinGroup(options.loops, options.ringBytes)
  let server: ServerImpl
  try {
    const handlers = options as unknown as AnyHandlers
    server = await whenUnlocked(
      (ignoresLock) => startServer(group, settings, handlers, addresses, ignoresLock),
      () => signal?.throwIfAborted(),
    )
  } catch (error) {
    group.leave()
    throw error
  }
  if (signal !== undefined) {
    server.onClosed(onAbort(signal, () => void server.close()))
  }
  return server as unknown as Server<In, Out, Context>
}

/** Binds all addresses, and then accepts on them. */
function startServer(
  group: Group,
  settings: ServeSettings,
  handlers: AnyHandlers,
  addresses: BindAddress[][],
  ignoresLock: boolean,
): ServerImpl {
  const { handle } = theEnvironment()
  const service = createService(handle, settings.balance, settings.maxConnections, settings.refuse)
  const bound: BoundListener[] = []
  try {
    // All listeners are bound before the first one accepts, so that nothing was accepted if one fails.
    for (const [index, entry] of settings.listen.entries()) {
      const own = addresses[index] as BindAddress[]
      bound.push(new BoundListener(group, service, entry, own, ignoresLock))
    }
    const server = new ServerImpl(group, service, settings.checkEntry, handlers)
    server.start(bound)
    return server
  } catch (error) {
    for (const listener of bound) listener.unbind()
    dropService(handle, service)
    throw error
  }
}
