import { expect, test } from 'vitest'
import { addSample, linePath, type Sample } from './samples.ts'
import { stateName } from './timeline.ts'

test('a long run stays whole in few samples', () => {
  const samples: Sample[] = []
  for (let i = 1; i <= 10_000; i++) addSample(samples, { at: i, value: 5 })
  expect(samples.length).toBeLessThanOrEqual(120)
  expect(samples.length).toBeGreaterThan(30)
  expect(samples.at(-1)!.at).toBe(10_000)
  expect(samples.every(({ value }) => value === 5)).toBe(true)
  expect(samples.every(({ at }, i) => i === 0 || at > samples[i - 1]!.at)).toBe(true)
})

test('a sample that is not newer is dropped', () => {
  const samples = [{ at: 2, value: 1 }]
  addSample(samples, { at: 2, value: 9 })
  addSample(samples, { at: 1, value: 9 })
  expect(samples.length).toBe(1)
})

test('the line fits its box, also if all values are zero', () => {
  expect(linePath([{ at: 0, value: 0 }, { at: 5, value: 10 }, { at: 10, value: 5 }], 100, 50)).toBe('M0,50 50,0 100,25')
  expect(linePath([{ at: 0, value: 0 }, { at: 1, value: 0 }], 100, 50)).toBe('M0,50 100,50')
})

test('the states of a workflow have names in words', () => {
  expect(stateName({ name: 'NotifyStarted' })).toBe('Notify started')
  expect(stateName({ name: 'Chunks', done: 5, total: 8 })).toBe('Chunks 5 of 8')
  expect(stateName({ name: 'wait_for-it' })).toBe('wait for it')
})
