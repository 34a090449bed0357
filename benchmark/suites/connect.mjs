/** Connecting: how many connections per second one client process opens and uses. */

import { fileURLToPath } from 'node:url'
import { fine, plain } from '../format.mjs'
import { ended, start } from '../processes.mjs'
import { Server } from '../server.mjs'
import { floor, inline, millrace, nodeNet } from '../variants.mjs'

/** @typedef {import('../rounds.mjs').Scenario} Scenario */

const CLIENT = fileURLToPath(new URL('../peers/connect.mjs', import.meta.url))
/** Addresses of the server: with one address, a client could use up its ports within a minute. */
const HOSTS = 8
const CONNECTIONS = 60_000
const AT_ONCE = 500
/** Seconds after which a client is killed. */
const PATIENCE = 120

/**
 * Runs a client to its end.
 *
 * @param {readonly string[]} args
 * @returns {Promise<any>} what it measured
 */
async function client(args) {
  const child = start(process.execPath, [CLIENT, ...args])
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE * 1e3)
  let out = ''
  let complaint = ''
  child.stdout.on('data', (/** @type {Buffer} */ chunk) => (out += chunk))
  child.stderr.on('data', (/** @type {Buffer} */ chunk) => (complaint += chunk))
  const end = await ended(child)
  clearTimeout(timer)
  if (end !== 0) throw new Error(`the client ended with ${end}: ${complaint.trim()}`)
  return JSON.parse(out)
}

/** @type {Scenario} */
const scenario = {
  name: 'connect',
  title: `${CONNECTIONS} connections of one client, ${AT_ONCE} at a time: connect, one echo, close`,
  variants: [millrace, inline, nodeNet],
  columns: [
    { title: 'connects/s', value: 'connects_per_second', format: plain },
    { title: 'min–max', value: 'connects_per_second', format: plain, spread: true },
    { title: '× node:net', value: 'connects_per_second', over: nodeNet.name, format: fine },
    { title: 'client CPU µs each', value: 'cpu_us', format: fine },
  ],
  targets: [
    {
      text: 'millrace: at least 1.5 × net.connect',
      variant: millrace.name,
      value: 'connects_per_second',
      over: nodeNet.name,
      least: 1.5,
    },
  ],
  async measure(variant) {
    const server = await Server.start(floor, [], [], ['--hosts', `${HOSTS}`])
    try {
      const port = server.address.split(':').at(-1)
      const shape = ['--connections', `${CONNECTIONS}`, '--at-once', `${AT_ONCE}`]
      return await client(['--client', variant.name, '--port', `${port}`, ...shape])
    } finally {
      await server.stop()
    }
  },
}

export const connect = { name: 'connect', rounds: 5, scenarios: [scenario] }
