/** The servers to compare. */

/** @typedef {import('./server.mjs').Variant} Variant */

/** One loop thread. @type {Variant} */
export const millrace = { name: 'millrace', peer: 'millrace.mjs', args: ['--loops', '1'] }

/** The loop on Node's own. @type {Variant} */
export const inline = { name: 'millrace-inline', peer: 'millrace.mjs', args: ['--loops', 'inline'] }

/** @type {Variant} */
export const nodeNet = { name: 'node:net', peer: 'node-net.mjs' }

/** One loop thread, one socket. @type {Variant} */
export const udp = { name: 'millrace', peer: 'millrace-udp.mjs', args: ['--loops', '1'] }

/** One socket on Node's own loop. @type {Variant} */
export const udpInline = {
  name: 'millrace-inline',
  peer: 'millrace-udp.mjs',
  args: ['--loops', 'inline'],
}

/** @type {Variant} */
export const nodeDgram = { name: 'node:dgram', peer: 'node-dgram.mjs' }

/** A proxy with one loop thread. @type {Variant} */
export const proxy = { name: 'millrace', peer: 'millrace-proxy.mjs', args: ['--loops', '1'] }

/** A proxy on Node's own loop. @type {Variant} */
export const proxyInline = {
  name: 'millrace-inline',
  peer: 'millrace-proxy.mjs',
  args: ['--loops', 'inline'],
}

/** @type {Variant} */
export const nodeProxy = { name: 'node:net', peer: 'node-proxy.mjs' }

/** HAProxy with one thread. @type {Variant} */
export const haproxy = { name: 'haproxy', peer: 'haproxy.mjs' }

/** Limits in time, on one loop thread. @type {Variant} */
export const limited = { name: 'limits', peer: 'millrace-timeouts.mjs', args: ['--loops', '1'] }

/** Limits in time, on Node's own loop. @type {Variant} */
export const limitedInline = {
  name: 'limits-inline',
  peer: 'millrace-timeouts.mjs',
  args: ['--loops', 'inline'],
}

/** The same server without limits in time. @type {Variant} */
export const unlimited = { name: 'none', peer: 'millrace-timeouts.mjs', args: ['--loops', '1'] }

/** The same without limits, on Node's own loop. @type {Variant} */
export const unlimitedInline = {
  name: 'none-inline',
  peer: 'millrace-timeouts.mjs',
  args: ['--loops', 'inline'],
}

/** A server that expects the worst, with one loop thread. @type {Variant} */
export const hostile = { name: 'millrace', peer: 'millrace-hostile.mjs', args: ['--loops', '1'] }

/** A server that expects the worst, on Node's own loop. @type {Variant} */
export const hostileInline = {
  name: 'millrace-inline',
  peer: 'millrace-hostile.mjs',
  args: ['--loops', 'inline'],
}

/** @type {Variant} */
export const nodeHostile = { name: 'node:net', peer: 'node-hostile.mjs' }

/** A server for patterns that cost memory, with one loop thread. @type {Variant} */
export const patterns = { name: 'millrace', peer: 'millrace-patterns.mjs', args: ['--loops', '1'] }

/** A server for patterns that cost memory, on Node's own loop. @type {Variant} */
export const patternsInline = {
  name: 'millrace-inline',
  peer: 'millrace-patterns.mjs',
  args: ['--loops', 'inline'],
}

/** @type {Variant} */
export const nodePatterns = { name: 'node:net', peer: 'node-patterns.mjs' }

/** Plain mio in one thread without JavaScript: the upper bound. @type {Variant} */
export const floor = { name: 'floor' }

/** Each frame as a new buffer, not read in place. @param {Variant} variant @returns {Variant} */
export function asBuffers(variant) {
  return {
    ...variant,
    name: `${variant.name}-buffer`,
    args: [...(variant.args ?? []), '--messages', 'buffer'],
  }
}

/** Collects all replies to a chunk in one write. @param {Variant} variant @returns {Variant} */
export function merged(variant) {
  return {
    ...variant,
    name: `${variant.name}-merged`,
    args: [...(variant.args ?? []), '--replies', 'merged'],
  }
}

/** What the name of a variant from another checkout ends with. */
export const BEFORE = '-before'

/**
 * Adds to each variant of millrace the same one from another checkout.
 *
 * @param {readonly Variant[]} variants
 * @param {string | undefined} root the folder of the other checkout
 * @returns {readonly Variant[]}
 */
export function against(variants, root) {
  if (root === undefined) return variants
  return variants.flatMap((variant) =>
    variant.peer?.startsWith('millrace')
      ? [variant, { ...variant, name: `${variant.name}${BEFORE}`, root }]
      : [variant],
  )
}
