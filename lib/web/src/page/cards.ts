import type { Job } from '../client/index.ts'
import type { CardItem } from './job.ts'
import type { FileUpload } from './uploader.ts'

/** How many ended jobs stay where they ran, until a person closes them. The others move on to the history. */
const mostEnded = 5

/** What is shown as cards, and in which order: it outlives each rendering, so that cards keep their place. */
export interface Shown {
  /** The key of a job's card: that of its upload, if it was uploaded here. */
  readonly keys: Map<string, string>
  /** The place of each card: the greater one comes first. */
  readonly places: Map<string, number>
  /** The cards that a person has closed. */
  readonly closed: Set<string>
  close(key: string): void
}

/** Returns that nothing has been shown yet. */
export function newShown(): Shown {
  const closed = new Set<string>()
  return { keys: new Map(), places: new Map(), closed, close: (key) => void closed.add(key) }
}

/**
 * Returns the cards: files on their way, running jobs, and jobs that ended here. A job that had ended before it was seen is
 * no card. A card keeps its place when its job ends, so that nothing jumps under the pointer.
 */
export function chooseCards(
  shown: Shown, jobs: readonly Job[], uploads: readonly FileUpload[], live: boolean, silenceOf: (job: Job) => string = () => '',
): CardItem[] {
  for (const upload of uploads) if (upload.job) shown.keys.set(upload.job, upload.key)
  const items = new Map<string, CardItem>()
  for (const upload of [...uploads].reverse()) items.set(upload.key, { key: upload.key, upload, live })
  const ended: { key: string; at: number }[] = []
  for (const job of [...jobs].reverse()) {
    const key = shown.keys.get(job.id) ?? job.id
    const upload = items.get(key)?.upload
    if (!job.terminal) shown.closed.delete(key) // another run of it
    else if (!upload && !shown.places.has(key) || shown.closed.has(key)) continue
    if (job.local && !upload) {
      items.set(key, { key, job, live }) // another tab is uploading it
      continue
    }
    items.set(key, { key, job, live, silence: silenceOf(job), ...(upload ? { upload } : {}) })
    if (job.terminal && !(upload && job.local)) ended.push({ key, at: job.updatedAt })
  }
  ended.sort((a, b) => b.at - a.at)
  for (const { key } of ended.slice(mostEnded)) items.delete(key)
  for (const key of items.keys()) if (!shown.places.has(key)) shown.places.set(key, shown.places.size)
  return [...items.values()].sort((a, b) => shown.places.get(b.key)! - shown.places.get(a.key)!)
}
