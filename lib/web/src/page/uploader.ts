import type { Store } from '../client/index.ts'
import { maxUploadBytes } from '../wire.ts'

/** A file on its way to the server. Its job has the id `job` from the moment at which the server has given it one. */
export interface FileUpload {
  readonly key: string
  readonly fileName: string
  readonly size: number
  /**
   * waiting: for a connection, or for others to be sent first. stopped: the page was reloaded, and the browser needs the same
   * file again. sent: all bytes are stored, and the import begins.
   */
  readonly state: 'waiting' | 'sending' | 'paused' | 'stopped' | 'failed' | 'sent'
  readonly sent: number
  /** Why it failed, in words that a person can act on. */
  readonly error?: string
  readonly job?: string
}

/** Sends files for one user, and continues what a reload has interrupted. */
export interface Uploader {
  /** The files that are on their way, the newest first. Sent ones leave when their job is shown. */
  readonly uploads: Store<readonly FileUpload[]>
  add(files: readonly File[]): void
  pause(key: string): void
  /** Continues a paused, failed or stopped upload. A stopped one may need its file. */
  resume(key: string, file?: File): void
  /** Gives the upload up, and forgets it. */
  cancel(key: string): void
  close(): void
}

/** Returns why a file cannot be imported, or nothing. */
export function refusal(file: Pick<File, 'name' | 'size' | 'type'>): string {
  const name = file.name
  if (!/\.(csv|tsv|txt)$/i.test(name) && !/csv/.test(file.type)) return `${name} is no CSV file. Export it as CSV and try again.`
  if (file.size === 0) return `${name} is empty. Export it again.`
  if (file.size > maxUploadBytes) return `${name} is larger than 1 GB. Split it into several files.`
  return ''
}

const advice: Record<string, string> = {
  UPLOADS_DISABLED: 'This server takes no uploads from browsers.',
  UPLOAD_LIMIT: 'Too many of your uploads are open. This one starts when another has ended.',
  UPLOAD_NOT_FOUND: 'The server has given this upload up after a day. Drop the file again.',
  UPLOAD_INCOMPLETE: 'Part of the file did not arrive. Try again: what has arrived stays.',
  FILE_CHANGED: 'The file was changed meanwhile. Drop it again.',
  RATE_LIMITED: 'You sent more than the server allows. Wait a minute, then try again.',
  TIMEOUT: 'The server did not answer. Try again: what has arrived stays.',
  CONNECTION_LOST: 'The connection was lost. Try again: what has arrived stays.',
  STORE: 'The storage did not take the file. Try again: what has arrived stays.',
  NETWORK: 'The network failed. Try again: what has arrived stays.',
  REFUSED: 'You are signed out. Sign in, then try again.',
}

/** Returns what an error of an upload means for a person. */
export function adviceForError(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  if (code === 'INVALID_MESSAGE' && error instanceof Error) return `The server refused the file: ${error.message.replace(/\.$/, '')}. Rename it, or export it again.`
  const known = typeof code === 'string' ? advice[code] : undefined
  if (known) return known
  return `The upload failed${error instanceof Error && error.message ? `: ${error.message.replace(/\.$/, '')}` : ''}. Try again.`
}
