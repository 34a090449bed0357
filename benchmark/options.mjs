/** The command line of the runner. */

import { parseArgs } from 'node:util'

export const USAGE = `\
usage: npm run bench -- SUITE [OPTIONS]

  echo      messages per second, latency and CPU, against plain mio and node:net
  unix      the same over a Unix socket
  udp       answered datagrams per second and CPU, against node:dgram
  connect   connections per second that a client opens, against net.connect
  proxy     megabytes per second through a proxy and CPU, against a.pipe(b) of node:net
  timeouts  CPU of idle connections with limits in time, how late they close, and an echo with limits
  fairness  timers next to busy handlers, a quiet connection next to a flood
  memory    bytes of an idle connection, growth after many connects and closes, and memory after each of
            ten rounds of a pattern that costs memory
  hostile   latency of honest clients beside attackers, memory and descriptors, against node:net
  all       every suite

  --rounds N        how often to measure each variant, each time in a fresh process (5 for echo,
                    unix, udp and connect, 1 for memory, otherwise 3)
  --seconds S       seconds that a round measures (3)
  --only A,B        only these scenarios
  --variants X,Y    only these variants
  --against DIR     also measures millrace as it is in that checkout, which has to be built: each variant
                    NAME has a NAME-before beside it
  --json FILE       file for the raw values (benchmark/results/SUITE-DATE.json)
  --help

exit code: 0, or 1 if a run failed, or 2 for wrong usage; a missed target is reported, but is not a failure`

/** An invalid command line. */
export class UsageError extends Error {}

/**
 * @typedef {object} Options
 * @property {string} suite
 * @property {number | undefined} rounds
 * @property {number} seconds
 * @property {readonly string[] | undefined} only
 * @property {readonly string[] | undefined} variants
 * @property {string | undefined} against
 * @property {string | undefined} json
 * @property {boolean} help
 */

/**
 * @param {readonly string[]} args
 * @returns {Options}
 * @throws {UsageError}
 */
export function parse(args) {
  let parsed
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        only: { type: 'string' },
        variants: { type: 'string' },
        against: { type: 'string' },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(/** @type {Error} */ (error).message)
  }
  const { values, positionals } = parsed
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
  const seconds = Number(values.seconds ?? 3)
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) {
    throw new UsageError('--rounds must be a whole number of at least 1')
  }
  if (!(seconds > 0)) throw new UsageError('--seconds must be more than 0')
  if (positionals.length !== 1 && !values.help) throw new UsageError('exactly one suite is needed')
  return {
    suite: positionals[0] ?? '',
    rounds,
    seconds,
    only: values.only?.split(','),
    variants: values.variants?.split(','),
    against: values.against,
    json: values.json,
    help: values.help,
  }
}
