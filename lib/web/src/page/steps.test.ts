// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fakeJob } from '../../test/fake.ts'
import type { Job } from '../client/index.ts'
import { newStepList } from './steps.ts'

beforeEach(() => void vi.useFakeTimers({ now: new Date(2026, 10, 22, 14, 5) }))
afterEach(() => void vi.useRealTimers())

const at = (hours: number, minutes = 0, seconds = 0) => new Date(2026, 10, 22, hours, minutes, seconds).toISOString()

function shown(...jobs: Partial<Job>[]): string[] {
  const list = newStepList()
  for (const job of jobs) list.update(fakeJob({ id: 'j', ...job }))
  return [...list.element.querySelectorAll('li')].map((li) => [...li.children].map(({ textContent }) => textContent).join(' | '))
}

test('steps are a list with what became of each, and when it began', () => {
  expect(shown({ steps: [
    { name: 'Fetch', at: at(14, 1, 7), status: 'succeeded' }, { name: 'R2', title: 'Render the pages', at: at(14, 2), status: 'failed' },
    { name: 'R2', title: 'Render the pages', at: at(14, 3), status: 'running' }, { name: 'Old', at: at(-14) }, { name: 'Untimed' },
    { name: 'Later', status: 'pondering' as never, at: 'soon' },
  ] })).toEqual([
    '✓ | Fetch, done | 14:01:07', '! | Render the pages, failed | 14:02:00', '● | Render the pages, running | 14:03:00',
    '● | Old, running | Sat 10:00', '● | Untimed, running | ', '● | Later, running | ',
  ])
})

test('a step that runs when its job ends has ended with the job', () => {
  const steps = [{ name: 'a', status: 'failed' as const }, { name: 'b' }]
  expect(shown({ status: 'succeeded', steps })).toEqual(['! | a, failed | ', '✓ | b, done | '])
  expect(shown({ status: 'failed', steps })).toEqual(['! | a, failed | ', '! | b, failed | '])
  expect(shown({ status: 'cancelled', steps })).toEqual(['! | a, failed | ', '× | b, cancelled | '])
})

test('a step that is done several times is several lines, and a newer list takes the place of the one before', () => {
  expect(shown({ steps: [{ name: 'a' }, { name: 'a' }] })).toHaveLength(2)
  expect(shown({ steps: [{ name: 'a' }, { name: 'b' }] }, { steps: [{ name: 'b', status: 'succeeded' }, { name: 'c' }] })).toEqual(['✓ | b, done | ', '● | c, running | '])
  expect(shown({ steps: [{ name: 'a' }] }, {})).toEqual([])
})

test('a name is text, whatever is in it', () => {
  expect(shown({ steps: [{ name: '<img src=x onerror=alert(1)>' }] })).toEqual(['● | <img src=x onerror=alert(1)>, running | '])
})
