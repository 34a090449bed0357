/** Settings that the examples read from environment variables. */

/** The port to listen on, from `PORT`. Port 0 takes any free port. */
export function portSetting(fallback: number): number {
  return numberSetting('PORT', { min: 0, max: 65_535 }) ?? fallback
}

/** The number of event loop threads, from `LOOPS`, or `inline` for no threads. */
export function loopsSetting(fallback: number | 'inline'): number | 'inline' {
  if (process.env.LOOPS === 'inline') return 'inline'
  return numberSetting('LOOPS', { min: 1, max: 128, otherwise: "'inline'" }) ?? fallback
}

/** The version of the PROXY headers to send, from `SEND_PROXY`; `undefined` for none. */
export function sendProxySetting(): 1 | 2 | undefined {
  return numberSetting('SEND_PROXY', { min: 1, max: 2 }) as 1 | 2 | undefined
}

/** The variable's texts, which are separated by commas. */
export function listSetting(name: string): string[] {
  return (process.env[name] ?? '').split(',').filter((text) => text !== '')
}

interface Range {
  min: number
  max: number
  /** What the variable may hold instead of a number. */
  otherwise?: string
}

/** The variable's number, or `undefined` if the variable is not set. Ends the process if it is invalid. */
function numberSetting(name: string, { min, max, otherwise }: Range): number | undefined {
  const text = process.env[name]
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (Number.isInteger(value) && value >= min && value <= max) return value
  const or = otherwise === undefined ? '' : `, or ${otherwise}`
  console.error(`${name} has to be a whole number from ${min} to ${max}${or}, not ${text}`)
  process.exit(1)
}
