import { maxCursor, maxHave, maxHaveBytes, maxID, type Synced } from '../wire.ts'
import type { Message } from './session.ts'
import { byNews, type View } from './view.ts'

/** A sync takes several pages, and several requests: where it is. */
export interface Sync {
  /** The since of the request that is being answered, and of the one of the first page. */
  since: string
  firstSince: string
  /** Where the next page starts. Empty is the first page. */
  cursor: string
  /**
   * From the first complete sync on, a sync may be brief: it ends with a page whose states are all known, because the server
   * sends newer states first. This order holds only within one read of the server's store, so not every sync is brief.
   */
  complete: boolean
  brief: boolean
}

export function newSync(): Sync {
  return { since: '', firstSince: '', cursor: '', complete: false, brief: false }
}

/**
 * Makes the next request start at the first page. If pages were to follow, since goes back to that of the first page: only
 * the cursor says that the notes before since have not come yet.
 */
export function firstPage(sync: Sync, { notes }: View): void {
  if (sync.cursor && sync.firstSince) notes.since = sync.firstSince
  sync.cursor = ''
}

const bytes = (text: string): number => new TextEncoder().encode(text).length

// Returns the positions of as many jobs as a sync may have: running jobs first, newer ones before older ones.
function have({ jobs }: View): Record<string, [string, number]> | undefined {
  const found: Record<string, [string, number]> = Object.create(null)
  let size = 2
  let count = 0
  for (const { job: { id }, epoch, seq } of [...jobs.values()].sort(byNews)) {
    if (!seq || bytes(id) > maxID) continue // the server would pass it over
    size += bytes(JSON.stringify([id, epoch, seq])) + 1
    if (size >= maxHaveBytes || count === maxHave) break
    found[id] = [epoch, seq]
    count++
  }
  return count ? found : undefined
}

/** Returns the message that requests the next page, and begins to count what comes. */
export function requestPage(sync: Sync, view: View, welcome: boolean): Message {
  const { notes, page } = view
  Object.assign(page, { jobs: new Set(), notes: new Set(), newest: '', moved: false })
  sync.since = notes.since
  if (!sync.cursor) sync.firstSince = notes.since
  return {
    action: 'sync',
    have: have(view),
    since: notes.since || undefined,
    cursor: sync.cursor || undefined,
    welcome: welcome || !notes.since ? undefined : false,
  } as Message
}

/** What follows the end of a page: the same page again, the next one now or later, or nothing. */
export type PageEnd = 'again' | 'next' | 'complete'

/**
 * Handles the end of a page. If fewer frames came than the server counts, some were lost: since goes back to that of the
 * request, as a late end of an earlier sync may have moved it, and the same page is requested again.
 */
export function endPage(sync: Sync, { notes, page }: View, end: Synced): PageEnd {
  if ((page.jobs?.size ?? 0) < end.jobs || page.notes.size < end.notes) {
    if (page.jobs) notes.since = sync.since
    return 'again'
  }
  const moved = page.moved || page.newest > notes.since
  if (page.newest > notes.since) notes.since = page.newest
  if (!end.more) {
    if (notes.welcomed > notes.since) notes.since = notes.welcomed
    notes.welcomed = sync.cursor = ''
    sync.complete = true
    return 'complete'
  }
  const cursor = end.cursor && bytes(JSON.stringify(end.cursor)) <= maxCursor + 2 ? end.cursor : ''
  if (end.retryAfter! > 0) {
    if (cursor) sync.cursor = cursor
    return 'next'
  }
  if (moved || cursor && cursor !== sync.cursor && !sync.brief) {
    sync.cursor = cursor
    return 'next'
  }
  if (cursor && sync.brief) {
    sync.cursor = ''
    return 'complete'
  }
  return 'again' // the same request would have the same answer
}
