// What the page shows in each scene: the page's own modules with a client whose state is made up.
import type { Job, Note, Status } from '../../src/client/index.ts'
import type { ExecutionState } from '../../src/page/timeline.ts'
import type { FileUpload } from '../../src/page/uploader.ts'
import { fakeJob } from '../../test/fake.ts'

export const now = Date.UTC(2026, 10, 22, 14, 5)
const minute = 60_000

/** What one user sees. */
export interface Scene {
  user?: string
  status?: Status
  /** The jobs before the one frame after which jobs are shown. Ended ones are the history. */
  before?: readonly Job[]
  jobs?: readonly Job[]
  uploads?: readonly FileUpload[]
  notesBefore?: readonly Note[]
  notes?: readonly Note[]
  rates?: { job: string; values: number[] }
  states?: ExecutionState[]
  openDetails?: boolean
  openNotes?: boolean
  refusedFiles?: { name: string; size: number; type: string }[]
}

const epoch = (ago: number) => `${new Date(now - ago).toISOString()}#0000`
const job = (id: string, fileName: string, more: Partial<Job>) => fakeJob({ id, fileName, epoch: epoch(40_000), updatedAt: now - 400, ...more })

const castle = job('castle', 'castle-2026-parts.csv', {
  phase: 'parse', progress: 56, currentRow: 3_402_118, totalRows: 6_000_000, rowsPerSecond: 2_113_000, etaMs: 1200, failedRows: 87,
})
const spare = job('spare', 'spare-parts-warehouse-2.csv', { phase: 'read', progress: 3, epoch: epoch(2000) })
const past = [
  job('p1', 'parts-list.csv', { status: 'succeeded', phase: 'finish', progress: 100, currentRow: 10_000, totalRows: 10_000, failedRows: 200, epoch: epoch(3 * minute + 500), updatedAt: now - 3 * minute }),
  job('p2', 'unclosed-quote.csv', { status: 'failed', progress: 5, message: 'Line 4: a quote is opened and never closed', epoch: epoch(7 * minute + 300), updatedAt: now - 7 * minute }),
  job('p3', 'old-inventory.csv', { status: 'cancelled', progress: 31, message: 'The workflow was stopped', epoch: epoch(26 * minute), updatedAt: now - 24 * minute }),
  job('p4', 'train-station.csv', { status: 'succeeded', phase: 'finish', progress: 100, currentRow: 412, totalRows: 412, failedRows: 0, epoch: epoch(5 * 60 * minute + 800), updatedAt: now - 5 * 60 * minute }),
]
const note = (id: string, more: Partial<Note>): Note => ({
  id, type: 'notification', title: 'Imported parts-list.csv', message: '9800 of 10000 rows were imported, 200 rejected', severity: 'warning', at: now - 3 * minute, ...more,
})
const rates = { job: 'castle', values: [900, 1400, 1800, 1750, 2050, 2100, 1990, 2180, 2200, 2113].map((n) => n * 1000) }
const at = (seconds: number) => now - 40_000 + seconds * 1000
const states: ExecutionState[] = [
  { name: 'Plan', type: 'Task', status: 'succeeded', start: at(0), end: at(6.2) },
  { name: 'NotifyStarted', type: 'Task', status: 'succeeded', start: at(6.2), end: at(6.3) },
  { name: 'Chunks', type: 'Map', status: 'running', start: at(6.3), done: 5, total: 8 },
]
const upload = (key: string, fileName: string, more: Partial<FileUpload>): FileUpload => ({ key, fileName, size: 84_000_000, sent: 0, state: 'sending', ...more })

const many = Array.from({ length: 200 }, (_, i) => {
  const progress = (i * 37) % 96
  return job(`m${i}`, `warehouse-${String(i + 1).padStart(3, '0')}-parts-list.csv`, progress < 5
    ? { phase: 'read', progress, epoch: epoch(1000 * i) }
    : { phase: 'parse', progress, epoch: epoch(1000 * i), currentRow: progress * 1000, totalRows: 100_000, rowsPerSecond: 18_000 + i * 100, etaMs: (100 - progress) * 60, ...(i % 7 === 0 ? { failedRows: i + 1 } : {}) })
})

// Jobs that are no files, in each status.
const other = (id: string, title: string, more: Partial<Job>) => job(id, title, { type: 'job_progress', title, ...more })
const step = (name: string, seconds: number, status?: 'succeeded' | 'failed') => ({ name, at: new Date(at(seconds)).toISOString(), ...(status ? { status } : {}) })
const others = [
  other('o1', 'Product video, spring 2026', {
    progress: 48, message: 'Rendering scene 12 of 25', etaMs: 154_000, epoch: epoch(10_000),
    steps: [step('Fetch the scenes', 0, 'succeeded'), step('Check the licences', 4, 'succeeded'), step('Transcribe', 11, 'failed'), step('Transcribe', 14, 'succeeded'), step('Render', 22)],
  }),
  other('o2', 'Sales report of October', { status: 'waiting', progress: 60, message: 'Ada must approve the figures', epoch: epoch(11_000) }),
  other('o3', 'Training of the colour model', { status: 'retrying', attempt: 2, of: 3, progress: 35, message: 'The machine was reclaimed', epoch: epoch(12_000) }),
  other('o4', 'Export of all orders', { status: 'stalled', expectEvery: 60, progress: 71, currentRow: 71_000, totalRows: 100_000, message: 'Writing the archive', updatedAt: now - 200_000, epoch: epoch(13_000) }),
  other('o5', 'Yearly statement', { status: 'queued', progress: 0, message: 'Accepted', epoch: epoch(14_000) }),
]
const endedOthers = [
  other('e1', 'Invoice run', { status: 'succeeded', progress: 100, message: '412 invoices, 18 pages each', result: 'results/ZGV2/e1/invoices.zip' }),
  other('e2', 'Link check of the documentation', { status: 'failed', progress: 80, message: '3 links lead nowhere', result: 'https://example.com/report' }),
  other('e3', 'Sales report of September', { status: 'succeeded', progress: 100, message: '12 pages', result: 'results/ZGV2/e3/report.pdf', updatedAt: now - 3 * minute, epoch: epoch(4 * minute) }),
  other('e4', 'Nightly backup', { status: 'failed', progress: 20, message: 'There was no news of this job for 10 minutes', updatedAt: now - 20 * minute, epoch: epoch(30 * minute) }),
]

const base: Scene = { before: past, jobs: [castle, spare, ...past], rates, states, openDetails: true }

/** All scenes by name: one user, or two. */
export const scenes: Record<string, Scene[]> = {
  running: [{ ...base, notesBefore: [note('n1', {})] }],
  empty: [{}],
  loading: [{ status: { state: 'connecting' } }],
  catching: [{ before: past, jobs: [castle, ...past], status: { state: 'syncing' } }],
  offline: [{ before: past, jobs: [castle, spare, ...past], status: { state: 'offline', retryAt: now + 8000 } }],
  refused: [{ before: past, jobs: past, status: { state: 'refused', code: 'REFUSED' } }],
  closed: [{ before: past, jobs: past, status: { state: 'closed', code: 'CONNECTION_LIMIT', reason: 'Too many connections' } }],
  failed: [{
    before: [castle, ...past], openDetails: false,
    jobs: [{ ...castle, status: 'failed', terminal: true, phase: '', rowsPerSecond: undefined, message: 'Line 3,402,119: a quote is opened and never closed' }, ...past],
    notes: [note('n2', { type: 'error', title: 'INVALID_FILE', severity: 'error', message: 'Line 3,402,119: a quote is opened and never closed', details: { uploadId: 'castle', fileName: 'castle-2026-parts.csv' }, at: now - 400 })],
  }],
  finished: [{
    before: past, rates, states: [...states.slice(0, 2), { ...states[2]!, status: 'succeeded', end: at(34), done: 8 }, { name: 'Finish', type: 'Task', status: 'succeeded', start: at(34), end: at(38.5) }, { name: 'NotifyComplete', type: 'Task', status: 'succeeded', start: at(38.5), end: at(39) }],
    openDetails: true,
    jobs: [{ ...castle, status: 'succeeded', terminal: true, phase: 'finish', progress: 100, currentRow: 6_000_000, failedRows: 141 }, ...past],
    notes: [note('n3', { title: 'Imported castle-2026-parts.csv', message: '5999859 of 6000000 rows were imported, 141 rejected', at: now - 400 })],
  }],
  uploads: [{
    before: past, jobs: past, refusedFiles: [{ name: 'holiday.jpg', size: 3, type: 'image/jpeg' }],
    uploads: [
      upload('u1', 'harbour-2026.csv', { sent: 34_000_000 }), upload('u2', 'space-port.csv', { state: 'waiting', size: 940_000_000 }),
      upload('u3', 'windmill.csv', { state: 'paused', sent: 61_000_000 }), upload('u4', 'zoo.csv', { state: 'stopped', sent: 48_000_000 }),
      upload('u5', 'lighthouse.csv', { state: 'failed', error: 'The network failed. Try again: what has arrived stays.', sent: 16_000_000 }),
    ],
  }],
  names: [{
    before: [], openDetails: false, jobs: [
      job('l1', `${'a-very-long-name-of-a-parts-list-that-somebody-exported-'.repeat(4)}final-v2-really-final.csv`, { phase: 'parse', progress: 40, currentRow: 9, totalRows: 20, failedRows: 1, rowsPerSecond: 3, etaMs: 3_720_000 }),
      job('l2', 'قائمة-القطع-النهائية-2026.csv', { phase: 'parse', progress: 61, currentRow: 612_000, totalRows: 1_000_000, rowsPerSecond: 81_000, etaMs: 48_000 }),
      job('l3', 'רשימת חלקים (עותק).csv', { phase: 'finish', progress: 97, currentRow: 10, totalRows: 10 }),
      job('l4', '部品リスト.csv', { phase: '', status: 'running', progress: 12, message: 'Making thumbnails' }),
      job('l5', `${'x'.repeat(200)}.csv`, { status: 'failed', progress: 4, message: 'The required column "quantity" is missing. The columns found are: part number, colour, amount, remarks, weight, ColorCategory, Is Spare', updatedAt: now - minute }),
      job('l6', 'قائمة.csv', { status: 'succeeded', progress: 100, totalRows: 1, failedRows: 0, updatedAt: now - 2 * minute }),
    ],
  }],
  many: [{ before: many, jobs: many }],
  history: [{ before: [], jobs: many.slice(0, 60).map((m, i) => ({ ...m, status: i % 9 ? 'succeeded' : 'failed', progress: 100, terminal: true, totalRows: 100_000, message: 'The file has no header', updatedAt: now - i * 7 * minute, epoch: epoch(i * 7 * minute + 900 * i + 300) })) }],
  notes: [{ ...base, openDetails: false, openNotes: true, notesBefore: Array.from({ length: 50 }, (_, i) => note(`x${i}`, { at: now - i * 11 * minute, title: `Imported warehouse-${50 - i}.csv`, severity: (['success', 'warning', 'error', 'info'] as const)[i % 4]! })) }],
  toasts: [{ ...base, openDetails: false, notes: [note('t1', { severity: 'success', title: 'Imported train-station.csv', message: '412 of 412 rows were imported' }), note('t2', {}), note('t3', { severity: 'error', title: 'Storage is almost full', message: 'Delete results that you do not need.', actionUrl: '/storage' }), note('t4', {})] }],
  jobs: [{
    openDetails: true, before: [...others, ...endedOthers.slice(0, 2).map((one): Job => ({ ...one, status: 'running', terminal: false })), ...endedOthers.slice(2)],
    jobs: [...others, ...endedOthers],
  }],
  steps: [{ openDetails: true, before: others.slice(0, 1), jobs: [{ ...others[0]!, steps: Array.from({ length: 32 }, (_, i) => ({ name: `Step${i}`, title: `${i % 5 ? 'Convert page' : 'Read and check the pages of the next chapter, then join them to the chapters before, number'} ${i + 1}`, at: new Date(at(i)).toISOString(), status: i < 31 ? 'succeeded' as const : 'running' as const })) }] }],
  two: [{ ...base, user: 'dev', openDetails: false }, { user: 'ada', before: [], jobs: [{ ...castle, id: 'other', fileName: 'ada-harbour.csv', progress: 22, failedRows: 0 }, past[3]!] }],
}
