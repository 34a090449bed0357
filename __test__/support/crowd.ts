/** Many clients at once, in separate threads. */

import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { ExecutionContext } from 'ava'

/** Runs in each thread: connects, reports when all are connected, and ends them when told to. */
const CODE = `
const net = require('node:net')
const { parentPort, workerData: { ports, each, from } } = require('node:worker_threads')
let connected = 0
let closed = 0
const sockets = []
for (let n = 0; n < each; n++) {
  const host = from[n % from.length]
  const socket = net.connect({
    port: ports[n % ports.length],
    host: '127.0.0.1',
    ...(host === undefined ? {} : { localAddress: host }),
  })
  socket.on('error', (error) => { throw error })
  socket.on('connect', () => { if (++connected === each) parentPort.postMessage('connected') })
  socket.on('close', () => { if (++closed === each) parentPort.postMessage('closed') })
  socket.resume()
  sockets.push(socket)
}
parentPort.once('message', () => { for (const socket of sockets) socket.end() })
`

/** The clients to connect. */
interface Options {
  ports: readonly number[]
  threads: number
  /** Connections of each thread. */
  each: number
  /** The local addresses of a thread's connections, used in turn. */
  from?: (thread: number) => readonly string[]
}

/** Connects all of them at once; `end` ends them and resolves when they are closed. */
export async function crowd(
  t: ExecutionContext,
  { ports, threads, each, from = () => [] }: Options,
): Promise<{ end(): Promise<void> }> {
  const workers = Array.from({ length: threads }, (_, thread) => {
    const workerData = { ports, each, from: from(thread) }
    const worker = new Worker(CODE, { eval: true, execArgv: [], workerData })
    t.teardown(() => worker.terminate())
    return worker
  })
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  return {
    async end() {
      const closed = workers.map((worker) => once(worker, 'message'))
      for (const worker of workers) worker.postMessage('end')
      await Promise.all(closed)
    },
  }
}
