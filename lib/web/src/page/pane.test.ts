// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fakeHerald, fakeJob, type FakeHerald, setStore } from '../../test/fake.ts'
import type { Note } from '../client/index.ts'
import { newAnnouncer } from './announce.ts'
import { newPane, type Pane } from './pane.ts'
import type { FileUpload } from './uploader.ts'

let herald: FakeHerald
let pane: Pane
let region: HTMLElement
const uploads = setStore<readonly FileUpload[]>([])
const calls: string[] = []

const frames = () => vi.advanceTimersByTimeAsync(50)
const spoken = async () => {
  await vi.advanceTimersByTimeAsync(500)
  return region.textContent
}
const $ = (selector: string) => pane.element.querySelector<HTMLElement>(selector)!
const all = (selector: string) => [...pane.element.querySelectorAll<HTMLElement>(selector)]
const note = (id: string, more: Partial<Note> = {}): Note => ({ id, type: 'notification', title: `Note ${id}`, message: 'm', severity: 'info', at: Date.now(), ...more })
const file = (name: string) => new File(['part,color,quantity\n'], name)

beforeEach(async () => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 22, 10, 1) })
  vi.stubGlobal('requestAnimationFrame', (run: () => void) => setTimeout(run, 16))
  herald = fakeHerald()
  uploads.set([])
  calls.length = 0
  region = document.createElement('div')
  pane = newPane({
    user: 'dev', herald, announcer: newAnnouncer(region),
    uploader: {
      uploads, add: (files) => calls.push(...files.map(({ name }) => `add ${name}`)), close() {},
      pause: (key) => void calls.push(`pause ${key}`), resume: (key) => void calls.push(`resume ${key}`), cancel: (key) => void calls.push(`cancel ${key}`),
    },
    rejectedURL: (job) => `/rejected?job=${job}`, act: (action) => void calls.push(action), summary: (text) => void calls.push(`title ${text}`),
  })
  document.body.replaceChildren(pane.status, pane.element, region)
  await frames()
})

afterEach(() => {
  pane.remove()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const running = { id: 'j', fileName: 'a.csv', phase: 'parse', progress: 50, currentRow: 5, totalRows: 10 }

test('the live region says phases and ends, and no percent', async () => {
  herald.setJob({ ...running, phase: 'read', progress: 1 })
  expect(await spoken()).toBe('a.csv: Reading the file.')
  for (let progress = 5; progress < 95; progress++) {
    herald.setJob({ ...running, progress })
    await frames()
  }
  expect(await spoken()).toBe('a.csv: Importing.')
  await vi.advanceTimersByTimeAsync(20_000)
  expect(region.textContent).toBe('')
  herald.setJob({ ...running, progress: 100, status: 'succeeded', terminal: true, failedRows: 1 })
  expect(await spoken()).toBe('a.csv finished: 9 rows imported, 1 rejected.')
})

test('many changes at once are one sentence', async () => {
  herald.jobs.set(Array.from({ length: 200 }, (_, i) => fakeJob({ ...running, id: `j${i}`, fileName: `${i}.csv` })))
  expect(await spoken()).toBe('0.csv: Importing. 1.csv: Importing. 2.csv: Importing. And 197 more changes.')
})

test('what was there before the page was opened is not spoken, and old ends are no cards', async () => {
  pane.remove()
  herald = fakeHerald()
  herald.status.set({ state: 'syncing' })
  herald.jobs.set([fakeJob({ ...running, status: 'succeeded', progress: 100 })])
  pane = newPane({ user: 'dev', herald, announcer: newAnnouncer(region), uploader: { uploads, add() {}, pause() {}, resume() {}, cancel() {}, close() {} }, rejectedURL: () => undefined, act() {}, summary() {} })
  document.body.append(pane.element)
  herald.status.set({ state: 'live' })
  expect(await spoken()).toBe('')
  expect(all('.card').length).toBe(0)
  expect($('.history').textContent).toContain('10 rows imported')
})

test('a job that ends stays in its place until it is closed, and then is one line of the history', async () => {
  herald.setJob(running)
  herald.setJob({ ...running, id: 'k', fileName: 'b.csv' })
  await frames()
  const order = all('.card .name').map(({ textContent }) => textContent)
  herald.setJob({ ...running, id: 'k', fileName: 'b.csv', status: 'failed', terminal: true, message: 'No header' })
  await frames()
  expect(all('.card .name').map(({ textContent }) => textContent)).toEqual(order)
  expect($('[data-kind=failed] .trouble').textContent).toBe('No header. Correct the file and upload it again.')
  const close = $('[data-kind=failed] button[aria-label^="Close"]')
  close.focus()
  close.click()
  expect(all('.card').length).toBe(1)
  expect($('.history').textContent).toContain('No header')
  expect(document.activeElement?.closest('.card')).not.toBeNull()
})

test('only as many ended jobs stay as fit on a screen', async () => {
  const jobs = Array.from({ length: 30 }, (_, i) => fakeJob({ ...running, id: `j${i}` }))
  herald.jobs.set(jobs)
  await frames()
  expect(all('.card').length).toBe(30)
  herald.jobs.set(jobs.map((job) => ({ ...job, status: 'succeeded', terminal: true })))
  await frames()
  expect(all('.card').length).toBe(5)
  expect(all('.history li').length).toBe(20)
  $('.past .more').click()
  expect(all('.history li').length).toBe(25)
})

test('rejected rows have a link once the import has succeeded, and only then', async () => {
  herald.setJob({ ...running, failedRows: 3 })
  await frames()
  expect($('.card .bad').outerHTML).toContain('3 rejected')
  expect($('.card a')).toBeNull()
  herald.setJob({ ...running, failedRows: 3, status: 'succeeded', terminal: true })
  await frames()
  expect($('.card a').getAttribute('href')).toBe('/rejected?job=j')
  herald.setJob({ ...running, failedRows: 3, status: 'failed', terminal: true })
  await frames()
  expect($('.card a')).toBeNull()
})

test('an upload and its job are one card with one bar', async () => {
  const upload: FileUpload = { key: 'u', fileName: 'a.csv', size: 100, sent: 50, state: 'sending' }
  uploads.set([upload])
  await frames()
  const card = $('.card')
  expect($('[role=progressbar]').getAttribute('aria-valuetext')).toBe('10 %, Uploading, 50 bytes of 100 bytes')
  uploads.set([{ ...upload, job: 'j', sent: 100, state: 'sent' }])
  herald.show({ uploadId: 'j', fileName: 'a.csv', progress: 20, message: '', phase: 'upload' })
  await frames()
  herald.setJob({ ...running, local: false, epoch: 'e', seq: 1 })
  uploads.set([])
  await frames()
  expect(all('.card')).toEqual([card])
  expect($('[role=progressbar]').getAttribute('aria-valuetext')).toBe('60 %, Importing, 5 of 10 rows')
})

test('a failed import shows where it failed, though its last state has no phase', async () => {
  herald.setJob({ ...running, currentRow: 1 })
  await frames()
  const before = $('[role=progressbar]').innerHTML
  herald.setJob({ ...running, currentRow: 1, progress: 60, phase: '', status: 'failed', terminal: true })
  await frames()
  expect($('[role=progressbar]').innerHTML).toBe(before)
})

test('an upload can be paused, continued and cancelled by the keyboard, and the focus stays on the card', async () => {
  const upload: FileUpload = { key: 'u', fileName: 'a.csv', size: 100, sent: 50, state: 'sending' }
  uploads.set([upload])
  await frames()
  const pause = $('button[aria-label="Pause: a.csv"]')
  pause.focus()
  pause.click()
  uploads.set([{ ...upload, state: 'paused' }])
  await frames()
  expect(document.activeElement?.getAttribute('aria-label')).toBe('Resume: a.csv')
  pause.click()
  uploads.set([{ ...upload, state: 'failed', error: 'The network failed.' }])
  await frames()
  expect(document.activeElement?.getAttribute('aria-label')).toBe('Try again: a.csv')
  $('button[aria-label="Try again: a.csv"]').click()
  $('button[aria-label="Cancel: a.csv"]').click()
  expect(calls.filter((call) => !call.startsWith('title'))).toEqual(['pause u', 'resume u', 'resume u', 'cancel u'])
})

test('files that cannot be imported are named, and the others are sent', async () => {
  pane.add([file('a.csv'), file('b.png')])
  expect(calls).toContain('add a.csv')
  expect(calls).not.toContain('add b.png')
  expect($('[role=alert]').textContent).toContain('b.png')
})

test('a short loss of the connection is not shown, a long one is, with words', async () => {
  const label = () => pane.status.querySelector('.badge')!.textContent
  herald.status.set({ state: 'offline', retryAt: Date.now() + 9000 })
  await vi.advanceTimersByTimeAsync(500)
  herald.status.set({ state: 'connecting' })
  herald.status.set({ state: 'live' })
  await vi.advanceTimersByTimeAsync(5000)
  expect(label()).toBe('Live')
  herald.status.set({ state: 'offline', retryAt: Date.now() + 9000 })
  await vi.advanceTimersByTimeAsync(1500)
  expect(label()).toBe('Offline')
  expect($('.notice').textContent).toContain('Trying again in 8 s.')
  await vi.advanceTimersByTimeAsync(2000)
  expect($('.notice').textContent).toContain('Trying again in 6 s.')
  herald.status.set({ state: 'refused' })
  await frames()
  $('.drop .primary').click()
  expect(calls).toContain('signIn')
})

test('new notes are toasts, old ones are not, and errors stay', async () => {
  herald.notes.set([note('old')])
  await frames()
  expect(all('.toasts .note').length).toBe(1)
  await vi.advanceTimersByTimeAsync(9000)
  expect(all('.toasts .note').length).toBe(0)
  herald.notes.set([note('e', { severity: 'error' }), note('b'), note('old')])
  await vi.advanceTimersByTimeAsync(9000)
  expect(all('.toasts .note').map(({ textContent }) => textContent)).toEqual([expect.stringContaining('Note e')])
  all('.toasts .note button')[0]!.click()
  await frames()
  expect(herald.calls).toContainEqual({ what: 'dismiss', with: 'e' })
  expect(all('.toasts .note').length).toBe(0)
})

test('an error that a card says already is no toast, and has the name of its file', async () => {
  herald.setJob(running)
  const error = (job: string) => note(job, { type: 'error', title: 'INVALID_FILE', severity: 'error', details: { uploadId: job, fileName: `${job}.csv` } })
  herald.notes.set([error('j'), error('other')])
  await frames()
  expect(all('.toasts .note strong').map(({ textContent }) => textContent)).toEqual(['other.csv was not imported'])
  pane.status.querySelector('button')!.click()
  expect(all('.tray .note').length).toBe(2)
})

test('fifty notes at once are three toasts, and all are among the notes', async () => {
  herald.notes.set(Array.from({ length: 50 }, (_, i) => note(String(i))))
  await frames()
  expect(all('.toasts .note').length).toBe(3)
  pane.status.querySelector('button')!.click()
  expect(all('.tray .note').length).toBe(50)
  $('.tray').dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }))
  expect($('.tray').hidden).toBe(true)
  expect(document.activeElement).toBe(pane.status.querySelector('button'))
})

test('a note links only to https, http and paths of the site', async () => {
  herald.notes.set(['https://x.example/', '/a', 'javascript:alert(1)', '//x.example', '/\\x.example'].map((actionUrl, i) => note(String(i), { actionUrl })))
  pane.status.querySelector('button')!.click()
  await frames()
  expect(all('.tray a').map((a) => a.getAttribute('href'))).toEqual(['https://x.example/', '/a'])
})

test('names are text, whatever is in them', async () => {
  herald.setJob({ ...running, fileName: '<img src=x onerror=alert(1)>.csv', message: '<b>x</b>' })
  await frames()
  expect($('.card img')).toBeNull()
  expect($('.card h3').textContent).toBe('<img src=x onerror=alert(1)>.csv')
})

test('the title of the window says how far the work is', async () => {
  herald.setJob(running)
  await frames()
  expect(calls.at(-1)).toBe('title 60 % a.csv')
  herald.setJob({ ...running, status: 'succeeded', terminal: true })
  await frames()
  expect(calls.at(-1)).toBe('title ')
})
