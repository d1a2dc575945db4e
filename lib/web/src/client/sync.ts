import { maxCursor, maxHave, maxHaveBytes, maxID, type Synced } from '../wire.ts'
import { byNews, newPage, type View } from './view.ts'

/**
 * Makes the next request start at the first page. If pages were to follow, since goes back to that of the first page: only
 * the cursor says that the notes before since have not come yet.
 */
export function firstPage({ notes, sync }: View): void {
  if (sync.cursor && sync.firstSince) notes.since = sync.firstSince
  sync.cursor = ''
}

const bytes = (text: string): number => new TextEncoder().encode(text).length

// Returns the positions of as many jobs as a sync may have: running jobs first, newer ones before older ones.
function have({ jobs }: View): object | undefined {
  const found: [string, [string, number]][] = []
  let size = 2
  for (const { job: { id }, epoch, seq } of [...jobs.values()].sort(byNews)) {
    if (!seq || bytes(id) > maxID) continue // the server would pass it over
    size += bytes(JSON.stringify([id, epoch, seq])) + 1
    if (size >= maxHaveBytes || found.length === maxHave) break
    found.push([id, [epoch, seq]])
  }
  return found[0] && Object.fromEntries(found)
}

/**
 * Returns the message that requests the next page, and begins to count what comes. A server that has welcomed this client need
 * not do so again. A legacy server does not know the newer fields.
 */
export function requestPage(view: View, welcomed: boolean, legacy: boolean): object {
  const { notes: { since }, sync } = view
  Object.assign(sync, newPage(since))
  if (!sync.cursor) sync.firstSince = since
  return {
    action: 'sync',
    have: have(view),
    since: since || undefined,
    cursor: sync.cursor || undefined,
    welcome: welcomed && since && !legacy ? false : undefined,
    batch: !legacy || undefined,
  }
}

/** What follows the end of a page: the same page again, the next one now or later, or nothing. */
export type PageEnd = 'again' | 'next' | 'complete'

/**
 * Handles the end of a page. If fewer frames came than the server counts, some were lost: since goes back to that of the
 * request, as a late end of an earlier sync may have moved it, and the same page is requested again.
 */
export function endPage({ notes, sync }: View, end: Synced): PageEnd {
  if (sync.jobs.size < end.jobs || sync.notes.size < end.notes) {
    notes.since = sync.since
    return 'again'
  }
  const newer = sync.newest > notes.since
  if (newer) notes.since = sync.newest
  if (!end.more) {
    if (notes.welcomed > notes.since) notes.since = notes.welcomed
    notes.welcomed = sync.cursor = ''
    sync.mayBeBrief = true
    return 'complete'
  }
  const cursor = end.cursor && bytes(JSON.stringify(end.cursor)) <= maxCursor + 2 ? end.cursor : ''
  if (end.retryAfter! > 0) {
    sync.cursor = cursor || sync.cursor
    return 'next'
  }
  if (sync.moved || newer || cursor && cursor !== sync.cursor && !sync.brief) {
    sync.cursor = cursor
    return 'next'
  }
  if (!cursor || !sync.brief) return 'again' // the same request would have the same answer
  sync.cursor = ''
  return 'complete'
}
