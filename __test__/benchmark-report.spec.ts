import test from 'ava'
// @ts-expect-error: plain JavaScript, which has no declarations
import { parse, UsageError } from '../benchmark/options.mjs'
// @ts-expect-error: plain JavaScript, which has no declarations
import { summary, verdict, verdicts } from '../benchmark/report.mjs'
// @ts-expect-error: plain JavaScript, which has no declarations
import { order, play } from '../benchmark/rounds.mjs'
// @ts-expect-error: plain JavaScript, which has no declarations
import { table } from '../benchmark/table.mjs'
// @ts-expect-error: plain JavaScript, which has no declarations
import { against } from '../benchmark/variants.mjs'

const rounds = {
  ours: [{ speed: 4 }, { speed: 6 }, { speed: 30 }],
  theirs: [{ speed: 2 }, { speed: 2 }, { speed: 30 }],
  broken: [undefined, undefined, undefined],
}

test('a table is aligned, with numbers to the right', (t) => {
  t.is(
    table(
      ['', 'msg/s'],
      [
        ['ours', '5'],
        ['a', '12345'],
      ],
    ),
    ['|      | msg/s |', '| ---- | ----: |', '| ours |     5 |', '| a    | 12345 |'].join('\n'),
  )
})

test('a row shows the median, the spread and the median of the ratios', (t) => {
  const format = (value: number) => value.toFixed(1)
  const columns = [
    { title: 'speed', value: 'speed', format },
    { title: 'min–max', value: 'speed', format, spread: true },
    { title: '× theirs', value: 'speed', over: 'theirs', format },
  ]
  const rows = summary(columns, rounds).split('\n').slice(2)
  const cells = rows.map((row: string) =>
    row
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, -1),
  )
  t.deepEqual(cells, [
    ['ours', '6.0', '4.0–30.0', '2.0'],
    ['theirs', '2.0', '2.0–30.0', '1.0'],
    ['broken', '–', '–', '–'],
  ])
})

test('a target is met, missed or not measured', (t) => {
  const target = { text: 'fast', variant: 'ours', value: 'speed', over: 'theirs', least: 2 }
  t.like(verdict(target, rounds), { met: true, measured: 2 })
  t.like(verdict({ ...target, least: 2.1 }, rounds), { met: false })
  t.like(verdict({ ...target, variant: 'broken' }, rounds), { met: undefined })
  t.is(verdicts([{ ...target, least: undefined, most: 1 }], rounds), '- **missed**: fast: 2.00')
})

test('a limit for the highest value is missed in a single round', (t) => {
  const rounds = { ours: [{ errors: 0 }, { errors: 7 }, undefined, { errors: 0 }] }
  const none = { text: 'no errors', variant: 'ours', value: 'errors', most: 0 }
  t.like(verdict(none, rounds), { met: true, measured: 0 })
  t.like(verdict({ ...none, highest: true }, rounds), { met: false, measured: 7 })
  const column = { title: 'errors', value: 'errors', format: String, highest: true }
  t.regex(summary([column], rounds), /ours +\| +7 /)
})

test('every other round runs in reverse order', (t) => {
  t.deepEqual(
    [0, 1, 2].map((round) => order(['a', 'b'], round).join('')),
    ['ab', 'ba', 'ab'],
  )
})

test('a failure is reported and leaves a gap in its round', async (t) => {
  let calls = 0
  const scenario = {
    name: 'scenario',
    async measure() {
      calls++
      if (calls === 2) throw new Error('3 errors')
      return { speed: calls }
    },
  }
  const outcome = await play(scenario, [{ name: 'ours' }], { rounds: 3, seconds: 1 })
  t.deepEqual(outcome.rounds.ours, [{ speed: 1 }, undefined, { speed: 3 }])
  t.deepEqual(outcome.failures, ['scenario, round 2, ours: 3 errors'])
})

test('the command line is validated', (t) => {
  t.like(parse(['echo', '--rounds', '2', '--only', 'a,b']), {
    suite: 'echo',
    rounds: 2,
    seconds: 3,
    only: ['a', 'b'],
  })
  t.throws(() => parse([]), { instanceOf: UsageError })
  t.throws(() => parse(['echo', '--rounds', '0']), { instanceOf: UsageError })
  t.throws(() => parse(['echo', '--colour']), { instanceOf: UsageError })
})

test('another checkout adds a variant beside each one of millrace, and the table shows the ratio', (t) => {
  const variants = [{ name: 'floor' }, { name: 'millrace', peer: 'millrace.mjs' }]
  t.deepEqual(against(variants, undefined), variants)
  t.deepEqual(
    against(variants, '/other').map(({ name, root }: { name: string; root?: string }) => [
      name,
      root,
    ]),
    [
      ['floor', undefined],
      ['millrace', undefined],
      ['millrace-before', '/other'],
    ],
  )
  const both = { ours: [{ speed: 6 }], 'ours-before': [{ speed: 4 }] }
  const column = { title: '× before', value: 'speed', over: '*-before', format: String }
  t.true(summary([column], both).includes('1.5'))
})
