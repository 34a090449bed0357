/** Starts servers for specs, with the loops and rings that the run asks for. */

import type { ExecutionContext } from 'ava'
import { type ServeOptions, type Server, serve } from 'millrace'

/** The loops of this run: a number or `inline`, from `MILLRACE_TEST_LOOPS`. */
export const LOOPS: number | 'inline' =
  process.env.MILLRACE_TEST_LOOPS === 'inline'
    ? 'inline'
    : Number(process.env.MILLRACE_TEST_LOOPS ?? 1)

/** One loop, of the kind of this run. */
export const ONE: 1 | 'inline' = LOOPS === 'inline' ? LOOPS : 1

/** Bytes of each ring of this run, from `MILLRACE_TEST_RING`: small rings wrap and fill all the time. */
export const RING_BYTES: number = Number(process.env.MILLRACE_TEST_RING ?? 1 << 20)

/** A port of this machine that the system chooses. */
export const ANY = 'tcp://127.0.0.1:0'

/** The parts of `ServeOptions` that a spec need not name. */
type Optional<In, Out, Data> = Omit<ServeOptions<In, Out, Data>, 'listen'> & {
  listen?: ServeOptions<In, Out, Data>['listen']
}

/** A server on a loopback port, closed when the test ends. */
export async function start<In = Buffer, Out = Uint8Array | string, Data = undefined>(
  t: ExecutionContext,
  options: Optional<In, Out, Data>,
): Promise<Server<In, Out, Data> & { port: number }> {
  const isOwn =
    options.loops === undefined || typeof options.loops === 'number' || options.loops === 'inline'
  const server = await serve<In, Out, Data>({
    listen: ANY,
    loops: LOOPS,
    ...(isOwn ? { ringBytes: RING_BYTES } : {}),
    ...options,
  } as ServeOptions<In, Out, Data>)
  t.teardown(() => server.close({ timeout: 0 }))
  return server as typeof server & { port: number }
}
