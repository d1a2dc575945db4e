import { expect, test } from 'vitest'
import { fakeJob } from '../../test/fake.ts'
import { mayStall, newSilence, roughly } from './silence.ts'

const start = Date.UTC(2026, 10, 22, 10)
const report = (more: object) => fakeJob({ id: 'r', updatedAt: start, ...more })

test('a silence is told in one unit that it has passed', () => {
  expect([0, 59_999, 60_000, 3_599_000, 3_600_000, 47 * 3_600_000, 49 * 3_600_000].map(roughly)).toEqual(['1 s', '59 s', '1 min', '59 min', '1 h', '47 h', '2 days'])
})

test('the silence of a stalled job counts from its last news, at least as long as the job says', () => {
  const silenceOf = newSilence()
  const stalled = report({ status: 'stalled', expectEvery: 60 })
  expect(silenceOf(stalled, true, start + 130_000)).toBe('2 min')
  expect(silenceOf(stalled, false, start + 3_700_000)).toBe('1 h')
  expect(silenceOf(stalled, true, start - 600_000), 'the clock here is behind').toBe('1 min')
})

test('the page sees that a running job is silent before the server does', () => {
  const silenceOf = newSilence()
  const first = report({ expectEvery: 20 })
  const at = start + 9_000_000 // the clock here is ahead
  expect(silenceOf(first, true, at)).toBe('')
  expect(silenceOf(first, true, at + 29_000)).toBe('')
  expect(silenceOf(first, true, at + 31_000)).toBe('31 s')
  expect(silenceOf(first, false, at + 31_000), 'without a connection nobody knows').toBe('')
  expect(silenceOf(report({ expectEvery: 20 }), true, at + 32_000), 'the next state takes it back').toBe('')
})

test('a job that waits, has ended, or says nothing about its silence never stalls here', () => {
  const silenceOf = newSilence()
  for (const job of [report({ status: 'waiting', expectEvery: 5 }), report({ status: 'queued', expectEvery: 5 }), report({ status: 'succeeded', expectEvery: 5 }), report({})]) {
    silenceOf(job, true, start)
    expect(silenceOf(job, true, start + 9_000_000)).toBe('')
  }
  expect([report({}), report({ status: 'failed', expectEvery: 5 }), report({ expectEvery: 5 }), report({ status: 'stalled' })].map(mayStall)).toEqual([false, false, true, true])
})
