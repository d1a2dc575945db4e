import { expect, test } from 'vitest'
import { fakeJob } from '../../test/fake.ts'
import type { Status } from '../client/index.ts'
import { adviceForError, refusal } from './uploader.ts'
import { adviceFor, connectionOf, endOf, factsOf, phaseOf, shortName, spokenChange } from './words.ts'

const job = (more: object) => fakeJob({ id: 'j', fileName: 'a.csv', ...more })

test('each phase has words, and an unknown one has the message', () => {
  expect(['upload', 'read', 'parse', 'finish'].map((phase) => phaseOf(job({ phase })))).toEqual(['Uploading', 'Reading the file', 'Importing', 'Saving the results'])
  expect(phaseOf(job({ phase: 'thumbnails', message: 'Making thumbnails' }))).toBe('Making thumbnails')
  expect(phaseOf(job({}))).toBe('Running')
})

test('a job that goes on says what it does, by its status', () => {
  expect(phaseOf(job({ status: 'queued', message: 'Accepted' }))).toBe('Waiting to start')
  expect(phaseOf(job({ status: 'waiting', message: 'Ada must approve it' }))).toBe('Waiting')
  expect(phaseOf(job({ status: 'waiting', message: 'Waiting for Ada' }))).toBe('Waiting for Ada')
  expect(phaseOf(job({ status: 'retrying', phase: 'parse', attempt: 2, of: 3 }))).toBe('Retrying, attempt 2 of 3')
  expect(phaseOf(job({ status: 'retrying', attempt: 1200 }))).toBe('Retrying, attempt 1,200')
  expect(phaseOf(job({ status: 'retrying' }))).toBe('Retrying')
  expect(phaseOf(job({ status: 'stalled', message: 'Rendering' }), '2 min')).toBe('Stalled: no news for 2 min')
  expect(phaseOf(job({ status: 'running', message: 'Rendering' }), '40 s')).toBe('Stalled: no news for 40 s')
  expect(phaseOf(job({ status: 'pondering', message: 'Thinking' }))).toBe('Thinking')
})

test('a job that does not move says why, and neither its rate nor the time left', () => {
  const facts = (more: object, silence = '') => factsOf(job({ message: 'Disk is full', currentRow: 5, totalRows: 10, rowsPerSecond: 2, etaMs: 3000, ...more }), true, silence).map(({ text }) => text)
  expect(facts({ status: 'waiting' })).toEqual(['Disk is full', '5 of 10 rows'])
  expect(facts({ status: 'waiting', message: 'Waiting for Ada' })).toEqual(['5 of 10 rows'])
  expect(facts({ status: 'retrying', attempt: 2 })).toEqual(['Disk is full', '5 of 10 rows'])
  expect(facts({ status: 'stalled', attempt: 2, of: 3 }, '2 min')).toEqual(['Disk is full', 'attempt 2 of 3', '5 of 10 rows'])
  expect(facts({ attempt: 2, of: 3 })).toEqual(['attempt 2 of 3', '5 of 10 rows', '2 rows/s', '3 s left'])
  expect(facts({ attempt: 1, of: 3 })).toEqual(['5 of 10 rows', '2 rows/s', '3 s left'])
})

test('a job that is not a file ends without words about files', () => {
  const report = (more: object) => fakeJob({ id: 'r', type: 'job_progress', title: 'Report', totalRows: 10, ...more })
  expect(endOf(report({ status: 'succeeded', message: '12 pages' }))).toBe('12 pages')
  expect(endOf(report({ status: 'succeeded' }))).toBe('Done')
  expect(adviceFor(report({ status: 'failed', message: 'No data' }))).toBe('')
  expect(spokenChange(report({ status: 'failed', message: 'No data' }))).toBe('Report failed: No data')
})

test('facts that are not true any more are not shown', () => {
  const running = job({ phase: 'parse', currentRow: 5, totalRows: 10, rowsPerSecond: 2, etaMs: 3000 })
  expect(factsOf(running, true).map(({ text }) => text)).toEqual(['5 of 10 rows', '2 rows/s', '3 s left'])
  expect(factsOf(running, false).map(({ kind }) => kind)).toEqual(['rows', 'since'])
  expect(factsOf(job({}), true)).toEqual([])
})

test('an end says what came out, and what to do', () => {
  expect(endOf(job({ status: 'succeeded', totalRows: 10, failedRows: 2 }))).toBe('8 rows imported')
  expect(endOf(job({ status: 'cancelled', progress: 31.5 }))).toBe('Cancelled at 31 %')
  expect(endOf(job({ status: 'failed' }))).toBe('It failed, and did not say why')
  expect(adviceFor(job({ status: 'failed', message: 'Line 4: a quote is opened and never closed' }))).toBe('Correct the file and upload it again.')
  expect(adviceFor(job({ status: 'failed', message: 'Please upload the file again later.' }))).toBe('')
})

test('what is spoken is the phase and the end, without percents', () => {
  expect(spokenChange(job({ phase: 'parse', progress: 42, totalRows: 9 }))).toBe('a.csv: Importing')
  expect(spokenChange(job({ status: 'succeeded', totalRows: 10, failedRows: 2 }))).toBe('a.csv finished: 8 rows imported, 2 rejected')
  expect(spokenChange(job({ status: 'failed', message: 'No header' }))).toBe('a.csv failed: No header')
})

test('a long name keeps its beginning and its end, by whole letters', () => {
  expect(shortName('short.csv', 20)).toBe('short.csv')
  expect(shortName('warehouse-of-the-north-part-17.csv', 20)).toBe('warehouse-of-…17.csv')
  expect([...shortName('🚂'.repeat(50), 10)].length).toBe(10)
})

test('offline, catching up and live have words of their own; refused and closed have a way out', () => {
  const states: Status[] = [{ state: 'connecting' }, { state: 'syncing' }, { state: 'live' }, { state: 'offline', retryAt: 9000 }, { state: 'refused' }, { state: 'closed', code: 'CONNECTION_LIMIT' }]
  const said = states.map((status) => connectionOf(status, 1000))
  expect(new Set(said.map(({ label }) => label)).size).toBe(6)
  expect(said[3]!.notice).toContain('Trying again in 8 s.')
  expect(said.map(({ action }) => action)).toEqual([undefined, undefined, undefined, undefined, 'signIn', 'reconnect'])
  expect(said[5]!.notice).toContain('Close a tab')
  expect(connectionOf({ state: 'closed', reason: 'Maintenance' }, 0).notice).toContain('Maintenance')
})

test('a file that cannot be imported is refused with the reason, before it is sent', () => {
  const file = (name: string, size: number, type = '') => refusal({ name, size, type })
  expect(file('a.csv', 1)).toBe('')
  expect(file('export', 1, 'text/csv')).toBe('')
  expect(file('a.png', 1, 'image/png')).toContain('no CSV file')
  expect(file('a.csv', 0)).toContain('empty')
  expect(file('a.csv', 1024 ** 3)).toBe('')
  expect(file('a.csv', 1024 ** 3 + 1)).toContain('larger than 1 GB')
})

test('an error of an upload says what to do', () => {
  expect(adviceForError({ code: 'UPLOAD_NOT_FOUND' })).toContain('Drop the file again')
  expect(adviceForError(new Error('boom'))).toBe('The upload failed: boom. Try again.')
  expect(adviceForError(undefined)).toBe('The upload failed. Try again.')
})
