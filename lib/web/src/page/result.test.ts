// @vitest-environment happy-dom
import { afterEach, expect, test, vi } from 'vitest'
import { fakeHerald, fakeJob } from '../../test/fake.ts'
import { HeraldError } from '../client/index.ts'
import { adviceForDownload, download, newResultLink } from './result.ts'

const report = (more: object) => fakeJob({ id: 'r-7', title: 'Report', status: 'succeeded', ...more })
const clicked: string[] = []

const openAnchors = () => vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function click(this: HTMLAnchorElement) { clicked.push(this.href) })
afterEach(() => {
  vi.restoreAllMocks()
  clicked.length = 0
})

test('a result is asked for when it is wanted, and anew each time', async () => {
  openAnchors()
  const herald = fakeHerald()
  let number = 0
  herald.answer = async (_, { job }) => ({ type: 'download_url', timestamp: '', data: { job, url: `https://s3.example/${++number}` } })
  const link = newResultLink((job) => download(herald, job), () => {}, 'button')
  link.update(report({ result: 'results/dTE/report%20of%20May.pdf' }))
  const button = link.element.querySelector('button')!
  expect(button.getAttribute('aria-label')).toBe('Download report%20of%20May.pdf: Report')
  button.click()
  button.click() // while it is prepared
  await vi.waitFor(() => expect(button.textContent).toMatch(/^Download /))
  button.click()
  await vi.waitFor(() => expect(clicked).toEqual(['https://s3.example/1', 'https://s3.example/2']))
  expect(herald.calls).toEqual([1, 2].map(() => ({ what: 'download', with: { job: 'r-7' } })))
})

test('a download that fails says why, until the next try', async () => {
  openAnchors()
  const said: string[] = []
  const errors: unknown[] = [new HeraldError('RESULT_NOT_FOUND'), new Error('boom'), undefined]
  const link = newResultLink(async () => {
    const error = errors.shift()
    if (error) throw error
  }, (why) => said.push(why), 'link')
  link.update(report({ result: 'results/dTE/a' }))
  const button = link.element.querySelector('button')!
  for (let tries = 0; tries < 3; tries++) {
    button.click()
    await vi.waitFor(() => expect(button.textContent).toMatch(/^Download /))
  }
  expect(said).toEqual(['', 'The result is not there any more.', '', 'The download failed. Try again.', ''])
})

test('a URL that is neither https nor http is not opened', async () => {
  openAnchors()
  const herald = fakeHerald()
  herald.answer = async () => ({ type: 'download_url', timestamp: '', data: { url: 'javascript:alert(1)' } })
  await expect(download(herald, 'r-7')).rejects.toThrow()
  expect(clicked).toEqual([])
})

test('a result at another site is a link, and anything else is none', () => {
  const link = newResultLink(async () => {}, () => {}, 'button')
  link.update(report({ result: 'https://reports.example/7' }))
  const anchor = link.element.querySelector('a')!
  expect([anchor.href, anchor.rel, anchor.target, anchor.getAttribute('aria-label')]).toEqual(['https://reports.example/7', 'noopener noreferrer', '_blank', 'Open the result: Report'])
  link.update(report({ result: 'javascript:alert(1)' }))
  expect(link.element.querySelector('a')).toBeNull()
  for (const job of [undefined, report({}), report({ status: 'running', terminal: false, result: 'https://reports.example/7' })]) {
    link.update(job)
    expect([link.element.hidden, link.element.childElementCount]).toEqual([true, 0])
  }
})

test('each code of the server has words', () => {
  for (const code of ['RESULT_NOT_FOUND', 'DOWNLOADS_DISABLED', 'RATE_LIMITED', 'TIMEOUT', 'CONNECTION_LOST', 'CLOSED']) expect(adviceForDownload({ code })).not.toContain('failed')
  expect(adviceForDownload(undefined)).toBe('The download failed. Try again.')
})
