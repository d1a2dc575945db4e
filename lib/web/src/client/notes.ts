import type { Frame, Note } from './api.ts'
import { noteOf } from './frames.ts'
import { maxSeen, maxShown, recentSeen } from './limits.ts'

// A ULID begins with the 48 bits of its milliseconds, in ten digits of five bits.
const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Returns the smallest ULID of a time. */
export function firstID(ms: number): string {
  let id = ''
  for (; id.length < 10; ms = Math.floor(ms / 32)) id = digits[ms % 32] + id
  return id.padEnd(26, '0')
}

/**
 * The notes that came. A note is new if its id is not among those seen, even if later ids are: a note may be stored long
 * after others with later ids. So an id is forgotten only when no sync sends the note again.
 */
export interface Notes {
  /** The notes that are not dismissed, the newest first. The list is another one when it changes. */
  shown: readonly Note[]
  seen: Set<string>
  /** The newest note up to which syncs are complete; later ones may be missing. Empty is none. */
  since: string
  /** The smallest id of the server's time when it began to answer a sync without since. */
  welcomed: string
  /** Whether a note was left out, so that another sync must bring it. */
  skipped?: boolean
}

/** Returns the notes before the first frame. */
export function emptyNotes(): Notes {
  return { shown: [], seen: new Set(), since: '', welcomed: '' }
}

function dropOldIDs({ seen, since }: Notes): void {
  const old = [...seen].filter((id) => !since || id <= since).sort()
  for (const id of old.slice(0, -recentSeen)) seen.delete(id)
}

// Remembers an id, and returns whether it is new. Without room, the id of a pushed note is left out: since stays before it,
// and a later sync brings it. A replayed one is always remembered, as since moves past it.
function remember(notes: Notes, id: string, replayed?: boolean): boolean {
  const { seen } = notes
  if (seen.has(id)) return false
  if (seen.size >= maxSeen) dropOldIDs(notes)
  if (seen.size >= maxSeen && !replayed) {
    notes.skipped = true
    return false
  }
  seen.add(id)
  return true
}

/** Adds the note of a frame, and returns whether it is new. */
export function addNote(notes: Notes, frame: Frame): boolean {
  const id = frame.id!
  if (!remember(notes, id, frame.replayed)) return false
  const { shown } = notes
  let at = 0
  while (shown[at]?.id! > id) at++
  notes.shown = [...shown.slice(0, at), noteOf(frame), ...shown.slice(at)].slice(0, maxShown)
  return true
}

/** Removes a note, and remembers its id, as the note may come later. Returns whether it was shown. */
export function removeNote(notes: Notes, id: string): boolean {
  remember(notes, id)
  const { shown } = notes
  const left = shown.filter((note) => note.id !== id)
  if (left.length === shown.length) return false
  notes.shown = left
  return true
}
