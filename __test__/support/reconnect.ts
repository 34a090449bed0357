/** Reconnecting clients for specs, their peers, and a record of their states. */

import { once } from 'node:events'
import net from 'node:net'
import type { ExecutionContext } from 'ava'
import type { Client, ClientState, ReconnectingOptions } from 'millrace'
import { Count } from './counts.js'
import { deadPort, redial } from './dial.js'

/** Waits of a millisecond: specs always wait for an event. */
export const AT_ONCE: { min: number; max: number; jitter: number } = { min: 1, max: 1, jitter: 0 }

/** A peer that starts and stops on one port, and keeps the text received on each connection. */
export class Peer {
  readonly port: number
  readonly lives: string[] = []
  readonly bytes = new Count()
  readonly arrived = new Count()
  #server: net.Server | undefined
  readonly #sockets = new Set<net.Socket>()

  constructor(t: ExecutionContext, port: number) {
    this.port = port
    t.teardown(() => this.stop())
  }

  get to(): string {
    return `tcp://127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const server = net.createServer((socket) => {
      const life = this.lives.push('') - 1
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('data', (chunk) => {
        this.lives[life] += String(chunk)
        for (const _ of chunk) this.bytes.up()
      })
      this.arrived.up()
    })
    this.#server = server
    server.listen(this.port, '127.0.0.1')
    await once(server, 'listening')
  }

  /** Sends to all open connections. */
  say(words: string): void {
    for (const socket of this.#sockets) socket.write(words)
  }

  /** Drops the connections and keeps listening. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    server.close()
    this.drop()
    await once(server, 'close')
  }
}

/** Counts how often a client entered each state. */
export class States {
  readonly all: ClientState[] = []
  readonly #counts = new Map<ClientState, Count>()

  readonly note = (client: { state: ClientState }): void => {
    this.all.push(client.state)
    this.of(client.state).up()
  }

  of(state: ClientState): Count {
    let count = this.#counts.get(state)
    if (count === undefined) {
      count = new Count()
      this.#counts.set(state, count)
    }
    return count
  }
}

export async function peer(t: ExecutionContext, starts = true): Promise<Peer> {
  const peer = new Peer(t, await deadPort())
  if (starts) await peer.start()
  return peer
}

export type Options = Omit<ReconnectingOptions<Buffer, Uint8Array | string, undefined>, 'reconnect'>

export function client(t: ExecutionContext, options: Options): Promise<Client> {
  return redial(t, { reconnect: AT_ONCE, ...options })
}
