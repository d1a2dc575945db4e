import { expect, test } from 'vitest'
import { count, counted, duration, percent, rate, size, timeLeft, whenWas } from './numbers.ts'

test('counts have separators, and their noun its number', () => {
  expect(count(3402118)).toBe('3,402,118')
  expect([counted(0, 'row'), counted(1, 'row'), counted(1200, 'row')]).toEqual(['0 rows', '1 row', '1,200 rows'])
})

test('a rate has two digits, so that it does not flicker', () => {
  expect([0.4, 9.2, 812, 18_432, 999_499, 999_500, 2_113_000, 12_600_000].map(rate)).toEqual([
    '1 rows/s', '10 rows/s', '810 rows/s', '18,000 rows/s', '1,000,000 rows/s', '1 M rows/s', '2.1 M rows/s', '13 M rows/s',
  ])
})

test('the time left is in steps that grow with it, and never zero', () => {
  expect([0, 900, 9_400, 10_001, 58_000, 61_000, 3_599_000, 5_400_000].map(timeLeft)).toEqual([
    '1 s left', '1 s left', '10 s left', '15 s left', '60 s left', '2 min left', '60 min left', '1.5 h left',
  ])
})

test('a duration has the unit that fits', () => {
  expect([0, 470, 9_960, 42_400, 60_000, 200_000, 3_600_000, 5_000_000].map(duration)).toEqual([
    '0.1 s', '0.5 s', '10.0 s', '42 s', '1 min', '3 min 20 s', '1 h', '1 h 23 min',
  ])
})

test('a size has the unit that fits', () => {
  expect([1, 999, 1000, 84_400, 999_499, 999_500, 84e6, 1.24e9].map(size)).toEqual([
    '1 byte', '999 bytes', '1 KB', '84 KB', '999 KB', '1 MB', '84 MB', '1.2 GB',
  ])
})

test('percents say 100 only at the end', () => {
  expect([-1, 0, 0.29, 0.999999999, 1, 2].map(percent)).toEqual([0, 0, 29, 99, 100, 100])
})

test('a time of another day has that day', () => {
  const now = new Date(2026, 10, 22, 14, 5).getTime()
  const day = 24 * 60 * 60 * 1000
  expect(whenWas(now, now)).toBe('14:05')
  expect(whenWas(now - day, now)).toBe('Sat 14:05')
  expect(whenWas(now - 8 * day, now)).toBe('Nov 14')
})
