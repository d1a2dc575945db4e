import type { Herald } from '../client/api.ts'
import { connected } from './wait.ts'

/** An upload that has not ended. The browser cannot open its file again by itself: the user has to choose it. */
export interface Interrupted {
  /** The id of the upload and of its job. */
  readonly job: string
  readonly fileName: string
  readonly size: number
  /** The file's own time of change. A file with the same name, size and time is the same. */
  readonly lastModified: number
  /** How many bytes were stored, as far as this browser knows. */
  readonly sent: number
  /** When the upload began, in milliseconds since 1970. The server gives it up after a day. */
  readonly at: number
}

const life = 86_400_000

const keyOf = (user: string): string => `herald uploads ${user}`

/** The name of the lock that a tab has while it sends an upload. */
export const lockOf = (job: string): string => `herald upload ${job}`

/** Returns the uploads of a user that have not ended, the newest first. There are none where the browser stores nothing. */
export function readSaved(user: string): Interrupted[] {
  try {
    return (JSON.parse(localStorage.getItem(keyOf(user))!) as Interrupted[] ?? []).filter(({ at }) => at > Date.now() - life)
  } catch {
    return []
  }
}

/** Stores an upload in place of the one with the same job. Without an upload it removes the job. */
export function save(user: string, job: string, upload?: Interrupted): void {
  try {
    const others = readSaved(user).filter((other) => other.job !== job)
    const all = upload ? [upload, ...others] : others
    if (all[0]) localStorage.setItem(keyOf(user), JSON.stringify(all))
    else localStorage.removeItem(keyOf(user))
  } catch {} // the upload goes on, but not after a reload
}

/** Whether an upload is one of a file. */
export function isOf(file: File): (upload: Interrupted) => boolean {
  return ({ fileName, size, lastModified }) => fileName === file.name && size === file.size && lastModified === file.lastModified
}

/**
 * Returns the uploads that a reload or a crash has interrupted, and no tab is sending: all of the user, or those of a file.
 * {@link upload} continues the one of its file.
 */
export async function resumable(herald: Pick<Herald, 'status' | 'user'>, file?: File): Promise<Interrupted[]> {
  await connected(herald)
  const saved = readSaved(herald.user())
  const locks = saved[0] && await navigator.locks?.query()
  const held = locks?.held?.map(({ name }) => name)
  return saved.filter((one) => !held?.includes(lockOf(one.job)) && (!file || isOf(file)(one)))
}
