/** Attacks: what honest clients notice of them, and what the server holds meanwhile and afterwards. */

import { setTimeout as wait } from 'node:timers/promises'
import { count, fine, megabytes, plain } from '../format.mjs'
import { Attack, loadWithErrors } from '../load.mjs'
import { Server } from '../server.mjs'
import { hostileInline, nodeHostile, hostile as threaded } from '../variants.mjs'

/** @typedef {import('../rounds.mjs').Scenario} Scenario */

const PATIENCE = 30
/** Honest clients, and how many messages all of them send in a second: each one every 20 ms. */
const HONEST = 100
const RATE = 5_000
/** Milliseconds of each of the server's limits. */
const LIMIT_MS = 2_500
/** Milliseconds that a server has to close what attackers left. */
const SETTLING_MS = 5_000
/** Milliseconds between two looks. */
const LOOK_MS = 50
/** Source addresses of attackers, so that they do not run out of ports. */
const SPREAD = 8
/** Kilobytes that a server may take in an attack for what no attacker is to blame for. */
const SLACK_KB = 64 << 10

const OURS = [threaded, hostileInline]
const NODE_ARGS = ['--expose-gc']

/** @type {readonly import('../report.mjs').Column[]} */
const COLUMNS = [
  { title: 'p50 µs', value: 'p50_us', format: plain },
  { title: 'p99 µs', value: 'p99_us', format: plain },
  { title: 'min–max', value: 'p99_us', format: plain, spread: true },
  { title: 'p99.9 µs', value: 'p999_us', format: plain },
  { title: 'p99 × undisturbed', value: 'times_calm', format: fine },
  { title: 'p99 × node:net', value: 'p99_us', over: nodeHostile.name, format: fine },
  { title: 'errors', value: 'errors', format: count, highest: true },
  { title: 'RSS MB before', value: 'before_kb', format: megabytes },
  { title: 'peak', value: 'peak_kb', format: megabytes, highest: true },
  { title: 'after', value: 'after_kb', format: megabytes },
  { title: 'descriptors before', value: 'descriptors_before', format: count },
  { title: 'after', value: 'descriptors_after', format: count, highest: true },
]

/** What attackers did, of which one can see that the attack was the same. */
const CONNECTS = { title: 'attackers/s', value: 'attack_per_second', format: count }
const CONNECTED = { title: 'attackers', value: 'attack_connected', format: count }
const CUT = { title: 'cut', value: 'attack_cut', format: count }
const OPEN = { title: 'open', value: 'attack_open', format: count }
const SENT = { title: 'sent MB', value: 'attack_megabytes', format: plain }

/**
 * The honest clients' latencies, counted from when a message was due. Errors are part of the result.
 *
 * @param {Server} server
 * @param {number} seconds
 */
async function honest({ address }, seconds) {
  const shape = { address, connections: HONEST, depth: 1, framing: 'length', rate: RATE, seconds }
  const measured = await loadWithErrors('echo', shape, seconds + PATIENCE)
  if (measured.messages === 0) throw new Error('no honest client was answered')
  return measured
}

/**
 * What the server holds after `gc()`.
 *
 * @param {Server} server
 */
async function rest(server) {
  await server.ask('gc')
  await wait(LOOK_MS)
  return server.footprint()
}

/**
 * What the server holds once it has as few descriptors as before, or once it had the time for that.
 *
 * @param {Server} server
 * @param {number} descriptors
 */
async function settled(server, descriptors) {
  const patience = performance.now() + SETTLING_MS
  while (server.footprint().descriptors > descriptors && performance.now() < patience) {
    await wait(LOOK_MS)
  }
  return rest(server)
}

/**
 * @typedef {object} Plan
 * @property {Record<string, unknown>} shape options of the attack
 * @property {number} after milliseconds from the start of the attack until it is at full strength
 * @property {number} [connects] how many connections the attack has to make
 */

/**
 * Attacks the server while `body` runs.
 *
 * @template T
 * @param {Server} server
 * @param {Plan | undefined} plan
 * @param {() => Promise<T>} body
 */
async function beside({ address }, plan, body) {
  if (plan === undefined) return { ...(await body()) }
  const attack = new Attack({ ...plan.shape, address, spread: SPREAD })
  let done
  let counts
  try {
    await wait(plan.after)
    const start = performance.now()
    const before = await attack.counts()
    done = await body()
    const after = await attack.counts()
    const seconds = (performance.now() - start) / 1e3
    counts = {
      attack_per_second: (after.connected - before.connected) / seconds,
      attack_open: after.open,
    }
    const patience = performance.now() + PATIENCE * 1e3
    while ((await attack.counts()).connected < (plan.connects ?? 0)) {
      if (performance.now() > patience) throw new Error('the attack does not come through')
      await wait(LOOK_MS)
    }
  } finally {
    const { connected, cut, failed, bytes } = await attack.stop()
    counts = {
      ...counts,
      attack_connected: connected,
      attack_cut: cut,
      attack_failed: failed,
      attack_megabytes: bytes / 1e6,
    }
  }
  return { ...done, ...counts }
}

/**
 * @param {string} name
 * @param {string} title
 * @param {Plan | undefined} plan
 * @param {readonly import('../report.mjs').Column[]} counts
 * @param {readonly import('../report.mjs').Target[]} targets
 * @returns {Scenario}
 */
function scenario(name, title, plan, counts, targets) {
  return {
    name,
    title: `${HONEST} honest clients with a message every ${(HONEST * 1e3) / RATE} ms ${title}`,
    variants: [...OURS, nodeHostile],
    columns: [...COLUMNS, ...counts],
    targets: [
      ...targets,
      ...OURS.flatMap((variant) => [
        {
          text: `${variant.name}: no error of an honest client`,
          variant: variant.name,
          value: 'errors',
          most: 0,
          highest: true,
        },
        {
          text: `${variant.name}: as many descriptors as before`,
          variant: variant.name,
          value: 'descriptors_left',
          most: 0,
          highest: true,
        },
      ]),
    ],
    async measure(variant, { seconds }) {
      const server = await Server.start(variant, ['--limit', `${LIMIT_MS}`], NODE_ARGS)
      try {
        const calm = await honest(server, seconds / 2)
        const before = await rest(server)
        const measured = await beside(server, plan, () => honest(server, seconds))
        const after = await settled(server, before.descriptors)
        return {
          ...measured,
          calm_p99_us: calm.p99_us,
          times_calm: measured.p99_us / calm.p99_us,
          errors: calm.errors + measured.errors,
          before_kb: before.rss_kb,
          peak_kb: after.peak_kb,
          peak_growth_mb: (after.peak_kb - before.rss_kb) / 1024,
          after_kb: after.rss_kb,
          descriptors_before: before.descriptors,
          descriptors_after: after.descriptors,
          descriptors_left: after.descriptors - before.descriptors,
        }
      } finally {
        await server.stop()
      }
    },
  }
}

/**
 * What an attack must not do.
 *
 * @param {number} growthKb how much memory the server may take in the attack
 */
function goals(growthKb) {
  const most = growthKb >> 10
  return OURS.flatMap(({ name }) => [
    {
      text: `${name}: p99 at most half of that of node:net`,
      variant: name,
      value: 'p99_us',
      over: nodeHostile.name,
      most: 0.5,
    },
    {
      text: `${name}: p99 at most 3 × the undisturbed one`,
      variant: name,
      value: 'times_calm',
      most: 3,
    },
    {
      text: `${name}: takes at most ${most} MB more`,
      variant: name,
      value: 'peak_growth_mb',
      most,
      highest: true,
    },
  ])
}

const SLOW = 2_000
const DEAF = 200
/** What the limit on unsent bytes lets a connection take: 1 MiB and the reply that goes over it. */
const UNSENT_KB = 1024 + 64
/** Replies that were sent and not collected yet. */
const GARBAGE_KB = 64 << 10
const RESETS = 50_000

export const hostile = {
  name: 'hostile',
  rounds: 3,
  scenarios: [
    scenario('undisturbed', 'without an attack', undefined, [], []),
    scenario(
      'slow-loris',
      `beside ${SLOW} with a byte every second`,
      {
        // They come within 2 s, and go on coming back when they were cut.
        shape: { kind: 'slow-loris', connections: SLOW, rate: 1_000 },
        after: LIMIT_MS,
      },
      [CONNECTS, CONNECTED, CUT, OPEN],
      goals(SLACK_KB),
    ),
    scenario(
      'never-read',
      `beside ${DEAF} that ask for 64 KiB again and again and never read`,
      {
        shape: { kind: 'never-read', connections: DEAF, rate: 100, reply: 65_536 },
        after: LIMIT_MS,
      },
      [CONNECTS, CONNECTED, CUT, OPEN, SENT],
      goals(SLACK_KB + GARBAGE_KB + DEAF * UNSENT_KB),
    ),
    scenario(
      'connect-reset',
      `beside at least ${RESETS} connects and resets`,
      {
        shape: { kind: 'connect-reset', connections: 256, rate: 12_500 },
        after: 300,
        connects: RESETS,
      },
      [CONNECTS, CONNECTED],
      goals(SLACK_KB),
    ),
  ],
}
