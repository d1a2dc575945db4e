// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fakeHerald, type FakeHerald, setStore } from '../../test/fake.ts'
import { HeraldError, type Job } from '../client/index.ts'
import { newAnnouncer } from './announce.ts'
import { newPane, type Pane } from './pane.ts'

// What the page shows of jobs that are no files.

let herald: FakeHerald
let pane: Pane
let region: HTMLElement
const titles: string[] = []
const executions: string[] = []

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const $ = (selector: string) => pane.element.querySelector<HTMLElement>(selector)!
const bar = () => $('[role=progressbar]').getAttribute('aria-valuetext')
const set = async (job: Partial<Job>) => {
  herald.setJob({ id: 'r-7', type: 'job_progress', title: 'Report', fileName: 'Report', progress: 40, updatedAt: Date.now(), ...job })
  await pass(50)
}
const steps = [{ name: 'Fetch', status: 'succeeded' as const }, { name: 'Render' }]

beforeEach(async () => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 22, 10, 1) })
  vi.stubGlobal('requestAnimationFrame', (run: () => void) => setTimeout(run, 16))
  herald = fakeHerald()
  region = document.createElement('div')
  executions.length = titles.length = 0
  pane = newPane({
    user: 'dev', herald, announcer: newAnnouncer(region), uploader: { uploads: setStore([]), add() {}, pause() {}, resume() {}, cancel() {}, close() {} },
    rejectedURL: () => undefined, act() {}, summary: (text) => void titles.push(text),
    loadExecution: async (job) => {
      executions.push(job)
      return undefined
    },
  })
  document.body.replaceChildren(pane.element, region)
  await pass(50)
})

afterEach(() => {
  pane.remove()
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

test('each status is shown in words, and its bar is one part', async () => {
  await set({ status: 'queued', progress: 0 })
  expect(bar()).toBe('0 %, Waiting to start')
  await set({ status: 'running', message: 'Rendering', attempt: 1, of: 3, etaMs: 9000 })
  expect(bar()).toBe('40 %, Rendering, 9 s left')
  await set({ status: 'retrying', message: 'Disk is full', attempt: 2, of: 3 })
  expect(bar()).toBe('40 %, Retrying, attempt 2 of 3, Disk is full')
  expect($('.card').dataset.kind).toBe('retrying')
  await set({ status: 'waiting', message: 'Ada must approve' })
  expect(bar()).toBe('40 %, Waiting, Ada must approve, attempt 2 of 3')
  expect($('.card').dataset.kind).toBe('waiting')
  expect(pane.element.querySelectorAll('.bar > span').length).toBe(1)
  expect($('.card h3').textContent).toBe('Report')
  expect(titles.at(-1)).toBe('40 % Report')
})

test('a new status is spoken once', async () => {
  await set({ message: 'Rendering' })
  await pass(9000)
  await set({ status: 'retrying', message: 'Disk is full', attempt: 2, of: 3 })
  await set({ status: 'retrying', message: 'Disk is full', attempt: 2, of: 3, progress: 41 })
  await pass(500)
  expect(region.textContent).toBe('Report: Retrying, attempt 2 of 3.')
})

test('the silence of a stalled job grows while nothing comes, and its next state takes it back', async () => {
  await set({ status: 'stalled', expectEvery: 60, message: 'Rendering', updatedAt: Date.now() - 125_000 })
  expect(bar()).toBe('40 %, Stalled: no news for 2 min, Rendering')
  await pass(60_000)
  expect(bar()).toBe('40 %, Stalled: no news for 3 min, Rendering')
  await set({ status: 'running', expectEvery: 60, message: 'Rendering' })
  expect(bar()).toBe('40 %, Rendering')
  await pass(80_000)
  expect(bar()).toMatch(/^40 %, Stalled: no news for 1 min, Rendering$/)
})

test('details have the steps in place of the workflow, and no rows where there are none', async () => {
  await set({ steps })
  const details = $('.card details') as HTMLDetailsElement
  details.open = true
  details.dispatchEvent(new Event('toggle'))
  await pass(3000)
  expect([...details.querySelectorAll('.steps li')].map((li) => li.textContent)).toEqual(['✓Fetch, done', '●Render, running'])
  expect(($('.card .plot')).hidden).toBe(true)
  expect(($('.card .timeline')).hidden).toBe(true)
  expect(executions).toEqual([])
  await set({ steps: undefined, currentRow: 1, totalRows: 2 })
  await pass(2000)
  expect(($('.card .plot')).hidden).toBe(false)
  expect(($('.card .timeline')).hidden).toBe(false)
  expect(executions).toContain('r-7')
})

test('an end offers its result, says when it cannot be had, and keeps it in the history', async () => {
  const opened: string[] = []
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function click(this: HTMLAnchorElement) { opened.push(this.href) })
  await set({})
  expect($('.card .result').childElementCount).toBe(0)
  await set({ status: 'succeeded', terminal: true, progress: 100, message: '12 pages', result: 'results/dTE/report.pdf', steps })
  herald.answer = async () => { throw new HeraldError('RESULT_NOT_FOUND') }
  $('.card .result button').click()
  await pass(500)
  expect($('.card .trouble').textContent).toBe('The result is not there any more.')
  expect(region.textContent).toContain('The result is not there any more.')
  herald.answer = async () => ({ type: 'download_url', timestamp: '', data: { url: 'https://s3.example/report.pdf' } })
  $('.card .result button').click()
  await pass(50)
  expect($('.card .trouble').hidden).toBe(true)
  $('.card button[aria-label^="Close"]').click()
  $('.history .result button').click()
  await pass(50)
  expect($('.history .sum').textContent).toContain('12 pages')
  expect(opened).toEqual(['https://s3.example/report.pdf', 'https://s3.example/report.pdf'])
})

test('a job that is no file fails without advice about files, and goes on when it is retried', async () => {
  await set({})
  await set({ status: 'failed', terminal: true, attempt: 1, message: 'No data' })
  expect($('.card .trouble').textContent).toBe('No data.')
  await set({ status: 'running', terminal: false, attempt: 2, message: 'Rendering' })
  expect(bar()).toBe('40 %, Rendering, attempt 2')
  expect($('.card .trouble').hidden).toBe(true)
})
