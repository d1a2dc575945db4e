import type { Frame, Job, LocalState } from './api.ts'
import { isA, jobIDOf, jobOf, type StateFrame, timeOf } from './frames.ts'
import { maxJobs } from './limits.ts'
import { addNote, emptyNotes, firstID, type Notes, removeNote } from './notes.ts'

/** A job of a view: the state that is shown, and the position (epoch, seq) of the newest stored one. A seq of 0 is none. */
export interface Entry {
  job: Job
  epoch: string
  seq: number
}

/** A sync: it takes several pages, and several requests. */
export interface Sync {
  /** The ids that came since the request. */
  jobs: Set<string>
  notes: Set<string>
  newest: string
  /** Whether a state moved a job's position. */
  moved: boolean
  /** Whether the server marks the states of its answers: others were pushed, and do not count. */
  marked: boolean
  /** The since of the request, and of the one of the first sync. */
  since: string
  firstSince: string
  /** Where the next page starts. Empty is the first sync. */
  cursor: string
  /**
   * From the first complete sync on, a sync may be brief: it ends with a page whose states are all known, because the server
   * sends newer states first. This order holds only within one read of the server's store, so not every sync is brief.
   */
  mayBeBrief?: boolean
  brief?: boolean
}

/** What a user should see. It depends on the frames only, not on time or connections. */
export interface View {
  jobs: Map<string, Entry>
  /** The jobs in the order of byStart, as long as they are as they are. */
  list?: readonly Job[]
  notes: Notes
  sync: Sync
}

/** Returns what counts the answer to a request with a since. */
export function newPage(since: string): Pick<Sync, 'jobs' | 'notes' | 'newest' | 'moved' | 'since'> {
  return { jobs: new Set(), notes: new Set(), newest: '', moved: false, since }
}

/** Returns the view of a user of whom no frame has come. */
export function emptyView(): View {
  return { jobs: new Map(), notes: emptyNotes(), sync: { ...newPage(''), marked: false, firstSince: '', cursor: '' } }
}

function descending<T extends string | number>(a: T, b: T): number {
  return a < b ? 1 : a > b ? -1 : 0
}

function runningFirst(key: (job: Job) => string | number) {
  return ({ job: a }: Entry, { job: b }: Entry): number => (
    +a.terminal - +b.terminal || descending(key(a), key(b)) || descending(b.id, a.id)
  )
}

/** Orders running jobs before ended ones, and newer states before older ones: what the server should know first. */
export const byNews = runningFirst((job) => job.updatedAt)
// Orders running jobs before ended ones, and later started ones before earlier ones, so that a shown list is calm. A job without
// an epoch is new.
const byStart = runningFirst((job) => job.epoch || '~')

/** Returns the jobs: running ones first, in each group the one that started last first. */
export function listJobs(view: View): readonly Job[] {
  return view.list ??= [...view.jobs.values()].sort(byStart).map(({ job }) => job)
}

function setJob(view: View, id: string, entry: Entry): void {
  view.jobs.set(id, entry)
  view.list = undefined
}

function applyState(view: View, frame: StateFrame, id: string): boolean {
  const { jobs, sync } = view
  const known = jobs.get(id)
  const shown = known?.job
  const job = jobOf(frame, id)
  const { epoch, seq } = job
  const shownEpoch = shown?.epoch || known?.epoch
  // 1 for a newer run, -1 for an older one. If one of the two has no epoch, they are the same run.
  const run = !shown ? 1 : epoch && shownEpoch ? descending(shownEpoch, epoch) : 0
  const falls = !run && job.progress < shown!.progress && !shown!.terminal && !job.terminal
  let next: Entry = { job, epoch, seq }
  let moved = !!seq
  if (known && !shown!.local) { // any state from the server replaces a local one
    if (!seq) {
      if (run < 0 || !run && (shown!.terminal || falls)) return false
      next = { ...known, job }
    } else if (known.seq && (epoch < known.epoch || epoch === known.epoch && seq <= known.seq)) moved = false
    else if (!shown!.seq && (run < 0 || falls)) next.job = shown! // behind a state that was not stored: only its position counts
  }
  if (falls) job.progress = shown!.progress // also that of a local state
  if (seq) {
    const marked = !!frame.replayed
    if (marked && !sync.marked) {
      sync.marked = true
      sync.jobs.clear()
    }
    if (marked === sync.marked) {
      sync.jobs.add(id)
      sync.moved ||= moved
    }
    if (!moved) return false
  }
  setJob(view, id, next)
  return (jobs.size <= maxJobs || dropLast(view) !== id) && next.job === job
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
 * - Every other frame is new, also a state that names no job: it cannot be stored.
 */
export function apply(view: View, frame: Frame): boolean {
  const { notes, sync } = view
  const job = jobIDOf(frame)
  if (job) return applyState(view, frame as StateFrame, job)
  if (isA(frame, 'dismissed')) return removeNote(notes, frame.data.id)
  if (isA(frame, 'welcome') && !notes.since) notes.welcomed = firstID(timeOf(frame.data.serverTime))
  if (!frame.id || frame.type !== 'notification' && frame.type !== 'error') return true
  if (frame.replayed) {
    sync.notes.add(frame.id)
    if (frame.id > sync.newest) sync.newest = frame.id
  }
  return addNote(notes, frame)
}

/** Applies a state that a browser made itself, and returns whether it is shown: not if the server has sent one. */
export function applyLocal(view: View, state: LocalState): boolean {
  const id = state.uploadId
  const known = view.jobs.get(id)
  if (known && !known.job.local) return false
  const job = jobOf({ type: 'upload_progress', data: { ...state, updatedAt: Date.now() } } as unknown as StateFrame, id, true)
  setJob(view, id, { job, epoch: '', seq: 0 })
  return true
}
