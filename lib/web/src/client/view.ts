import type { Frame, Job, LocalState } from './api.ts'
import { isA, jobOf, timeOf } from './frames.ts'
import { maxJobs } from './limits.ts'
import { addNote, emptyNotes, firstID, type Notes, removeNote } from './notes.ts'

/** A job of a view: the state that is shown, and the position (epoch, seq) of the newest stored one. A seq of 0 is none. */
export interface Entry {
  job: Job
  epoch: string
  seq: number
  /** When the job was first seen here, for its place among the shown jobs. */
  order: string
}

/** What came of the page of a sync that is being answered. */
export interface Page {
  /** The ids that came since the request; undefined before the first request. */
  jobs?: Set<string>
  notes: Set<string>
  newest: string
  /** Whether a state moved a job's position. */
  moved: boolean
  /** Whether the server marks the states of its answers: others were pushed, and do not count. */
  marked: boolean
}

/** What a user should see. It depends on the frames only, not on time or connections. */
export interface View {
  jobs: Map<string, Entry>
  /** The jobs in the order of byStart, as long as they are as they are. */
  list?: readonly Job[]
  notes: Notes
  page: Page
}

export function emptyView(): View {
  return { jobs: new Map(), notes: emptyNotes(), page: { notes: new Set(), newest: '', moved: false, marked: false } }
}

/** Orders texts: the greater one first. */
const descending = (a: string, b: string): number => (a < b ? 1 : a > b ? -1 : 0)

/** Orders running jobs before ended ones, and newer states before older ones: what the server should know first. */
export function byNews(a: Entry, b: Entry): number {
  return +a.job.terminal - +b.job.terminal || b.job.updatedAt - a.job.updatedAt || descending(b.job.id, a.job.id)
}

// Orders running jobs before ended ones, and later started ones before earlier ones, so that a shown list is calm.
function byStart(a: Entry, b: Entry): number {
  return +a.job.terminal - +b.job.terminal || descending(a.order, b.order) || descending(b.job.id, a.job.id)
}

/** Returns the jobs: running ones first, in each group the one that started last first. */
export function listJobs(view: View): readonly Job[] {
  return view.list ??= [...view.jobs.values()].sort(byStart).map(({ job }) => job)
}

function setJob(view: View, id: string, entry: Entry): void {
  view.jobs.set(id, entry)
  view.list = undefined
}

// Compares an epoch with that of the shown run. If one of them is unknown, they are the same run.
function compareRun(entry: Entry, epoch: string): number {
  const shown = entry.job.epoch || entry.epoch
  return !epoch || !shown ? 0 : descending(shown, epoch)
}

function applyState(view: View, frame: Frame<'upload_progress'>): boolean {
  const id = frame.job || frame.data.uploadId
  if (!id) return true // it cannot be stored
  const known = view.jobs.get(id)
  const before = known?.job.local ? undefined : known // any state from the server replaces a local one
  const job = jobOf(frame, id)
  const { epoch, seq } = job
  const next: Entry = { job, epoch, seq, order: epoch || known?.order || frame.timestamp || '' }
  let moved = seq > 0
  let isNew = true
  if (before) {
    const run = compareRun(before, epoch)
    const falls = job.progress < before.job.progress && !before.job.terminal && !job.terminal
    if (seq <= 0) {
      isNew = run > 0 || run === 0 && !before.job.terminal && !falls
      next.epoch = before.epoch
      next.seq = before.seq
    } else if (before.seq && (epoch < before.epoch || epoch === before.epoch && seq <= before.seq)) {
      isNew = moved = false
    } else if (before.job.seq <= 0 && (run < 0 || run === 0 && falls)) {
      isNew = false // behind a state that was not stored: only its position counts
      next.job = before.job
    }
  }
  countState(view.page, frame, id, moved)
  if (!isNew && !moved) return false
  setJob(view, id, next)
  return (view.jobs.size <= maxJobs || dropLast(view) !== id) && isNew
}

function countState(page: Page, frame: Frame, id: string, moved: boolean): void {
  const marked = !!frame.replayed
  if (marked && !page.marked) {
    page.marked = true
    page.jobs?.clear()
  }
  if (frame.seq! > 0 && page.jobs && marked === page.marked) {
    page.jobs.add(id)
    page.moved ||= moved
  }
}

function dropLast({ jobs }: View): string {
  const last = [...jobs.values()].reduce((a, b) => (byNews(a, b) > 0 ? a : b)).job.id
  jobs.delete(last)
  return last
}

/**
 * Applies a frame, and returns whether it is new and must be shown:
 *
 * - A job's state is new if its epoch and seq are newer than all before. A running state with less progress than an unstored
 *   one that is shown only moves the position: the shown progress never falls.
 * - A state without seq was not stored. It is new if it belongs to no older run, the run has not ended, and the progress
 *   does not fall. It does not move the position.
 * - A note is new if its id has not come, or it has none.
 * - A dismissal is new if the note was shown.
 * - Every other frame is new.
 */
export function apply(view: View, frame: Frame): boolean {
  const { notes, page } = view
  if (isA(frame, 'upload_progress')) return applyState(view, frame)
  if (isA(frame, 'dismissed')) return removeNote(notes, frame.data.id)
  if (isA(frame, 'welcome') && !notes.since) notes.welcomed = firstID(timeOf(frame.data.serverTime))
  if (!frame.id || frame.type !== 'notification' && frame.type !== 'error') return true
  if (frame.replayed) {
    page.notes.add(frame.id)
    if (frame.id > page.newest) page.newest = frame.id
  }
  return addNote(notes, frame)
}

/** Applies a state that a browser made itself, and returns whether it is shown: not if the server has sent one. */
export function applyLocal(view: View, state: LocalState, timestamp: string): boolean {
  const id = state.uploadId
  const known = view.jobs.get(id)
  if (known && !known.job.local) return false
  const job = jobOf({ type: 'upload_progress', timestamp, data: state } as Frame<'upload_progress'>, id, true)
  setJob(view, id, { job, epoch: '', seq: 0, order: known?.order ?? timestamp })
  return true
}
