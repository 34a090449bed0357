/** The machine that measured. */

import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'

/** @returns {Record<string, unknown>} */
export function machine() {
  return {
    date: new Date().toISOString(),
    cpus: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    memory_mb: Math.round(totalmem() / 2 ** 20),
    kernel: `${type()} ${release()}`,
    node: process.version,
    load: loadavg()[0],
  }
}

/** @param {Record<string, any>} machine */
export function describe({ date, cpus, cpu, kernel, node, load }) {
  return `${date.slice(0, 16)}Z, ${cpus} CPUs (${cpu}), ${kernel}, Node ${node}, load before ${load.toFixed(2)}`
}
