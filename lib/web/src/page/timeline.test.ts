// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Execution, newTimeline } from './timeline.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

test('an execution that has ended is not asked for again, until another run of the job begins', async () => {
  const plan = { name: 'Plan', type: 'Task', status: 'succeeded', start: 0, end: 5 } as const
  let execution: Execution = { status: 'FAILED', start: 0, end: 9, states: [plan] }
  const load = vi.fn(async () => execution)
  const timeline = newTimeline(load)
  const names = () => [...timeline.element.querySelectorAll('.state')].map(({ textContent }) => textContent)
  timeline.open(true)
  timeline.update(false)
  await vi.advanceTimersByTimeAsync(5000)
  load.mockClear()
  timeline.update(false)
  await vi.advanceTimersByTimeAsync(5000)
  expect(names()).toEqual(['Plan'])
  expect(load).not.toHaveBeenCalled()

  execution = { status: 'RUNNING', start: 10, states: [{ ...plan, name: 'Chunks', status: 'running', start: 10, end: undefined }] }
  timeline.restart()
  timeline.update(true)
  await vi.advanceTimersByTimeAsync(1000)
  expect(names()).toEqual(['Chunks'])
  timeline.remove()
})
