import test from 'ava'
// @ts-expect-error: plain JavaScript, which has no declarations
import { median, quantile, ratios, spread, valuesOf } from '../benchmark/statistics.mjs'

test('the median is the middle value, or the mean of the middle two', (t) => {
  t.is(median([10, 9, 100]), 10)
  t.is(median([4, 1, 3, 2]), 2.5)
  t.is(median([]), undefined)
})

test('a quantile is one of the measured values', (t) => {
  const values = Array.from({ length: 100 }, (_, at) => 100 - at)
  t.is(quantile(values, 0.5), 50)
  t.is(quantile(values, 0.99), 99)
  t.is(quantile(values, 1), 100)
  t.is(quantile([7], 0), 7)
  t.is(quantile([], 0.5), undefined)
})

test('a spread is the lowest and the highest value', (t) => {
  t.deepEqual(spread([3, 1, 2]), [1, 3])
  t.is(spread([]), undefined)
})

test('a failed round has no values', (t) => {
  t.deepEqual(valuesOf([{ speed: 1 }, undefined, { speed: 3 }], 'speed'), [1, 3])
})

test('a ratio is taken within a round, and only if both sides have a value', (t) => {
  const ours = [{ speed: 4 }, { speed: 9 }, undefined, { speed: 1 }]
  const theirs = [{ speed: 2 }, undefined, { speed: 5 }, { speed: 4 }]
  t.deepEqual(ratios(ours, theirs, 'speed'), [2, 0.25])
  t.deepEqual(ratios(ours, [], 'speed'), [])
})
