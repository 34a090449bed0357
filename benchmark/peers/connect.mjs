/**
 * A client that opens connections as fast as it can: each sends one message, receives its echo and closes.
 *
 *   node benchmark/peers/connect.mjs --client millrace|millrace-inline|node:net --port N
 *     [--hosts 8] [--connections 20000] [--warmup 2000] [--at-once 500] [--size 64]
 *
 * Prints one line of JSON.
 */

import net from 'node:net'
import { parseArgs } from 'node:util'
import { connect } from '../../index.js'

const { values } = parseArgs({
  options: {
    client: { type: 'string' },
    port: { type: 'string' },
    hosts: { type: 'string', default: '8' },
    connections: { type: 'string', default: '20000' },
    warmup: { type: 'string', default: '2000' },
    'at-once': { type: 'string', default: '500' },
    size: { type: 'string', default: '64' },
  },
})
const port = Number(values.port)
const hosts = Number(values.hosts)
const message = Buffer.alloc(Number(values.size), 'x')

/**
 * Runs one connection: resolves once all bytes have come back and the connection is closed.
 *
 * @typedef {(host: string) => Promise<void>} Client
 */

/** @param {number} received */
function check(received) {
  if (received !== message.length) throw new Error(`${received} bytes came back`)
}

/**
 * @param {1 | 'inline'} loops
 * @returns {Promise<Client>}
 */
async function millrace(loops) {
  // Held open, so that all connections can use its loop.
  const held = await connect({ to: `tcp://127.0.0.1:${port}`, loops })
  return (host) =>
    new Promise((resolve, reject) => {
      let received = 0
      connect({
        to: `tcp://${host}:${port}`,
        loop: held,
        open: (conn) => void conn.write(message),
        message(conn, chunk) {
          received += chunk.length
          if (received === message.length) conn.destroy()
        },
        close(_conn, error) {
          if (error) return reject(error)
          check(received)
          resolve()
        },
      }).catch(reject)
    })
}

/** @type {Client} */
function node(host) {
  return new Promise((resolve, reject) => {
    let received = 0
    const socket = net.connect({ host, port, noDelay: true })
    socket.on('connect', () => socket.write(message))
    socket.on('data', (chunk) => {
      received += chunk.length
      if (received === message.length) socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => {
      check(received)
      resolve()
    })
  })
}

/**
 * @param {Client} client
 * @param {number} count
 */
async function make(client, count) {
  let next = 0
  const work = async () => {
    while (next < count) await client(`127.0.0.${1 + (next++ % hosts)}`)
  }
  await Promise.all(Array.from({ length: Number(values['at-once']) }, work))
}

/** @type {Record<string, () => Client | Promise<Client>>} */
const CLIENTS = {
  millrace: () => millrace(1),
  'millrace-inline': () => millrace('inline'),
  'node:net': () => node,
}
const client = await CLIENTS[values.client ?? '']()
const count = Number(values.connections)
await make(client, Number(values.warmup))
const cpu = process.cpuUsage()
const start = performance.now()
await make(client, count)
const seconds = (performance.now() - start) / 1e3
const { user, system } = process.cpuUsage(cpu)
const connects_per_second = count / seconds
const cpu_us = (user + system) / count
console.log(JSON.stringify({ connects_per_second, cpu_us, seconds, connections: count }))
process.exit(0)
