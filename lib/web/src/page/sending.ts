import type { Herald } from '../client/index.ts'
import { type Interrupted, resumable, type Upload, upload } from '../uploads/index.ts'
import { save } from '../uploads/saved.ts'
import { adviceForError, type FileUpload, type Uploader } from './uploader.ts'

/** One file of the list: an upload of this page, or one that a reload has interrupted. */
interface Entry {
  readonly key: string
  upload?: Upload
  interrupted?: Interrupted
  /** What was wrong with the file that a person chose to continue. */
  error?: string
  end?(): void
}

/** Returns the uploads of a user, with those that a reload has interrupted. */
export function newUploader(herald: Herald): Uploader {
  let entries: Entry[] = []
  let snapshot: readonly FileUpload[] = []
  let count = 0
  let closed = false
  const listeners = new Set<() => void>()

  const changed = () => {
    entries = entries.filter((entry) => !isOver(entry))
    snapshot = entries.map(viewOf)
    for (const listener of [...listeners]) listener()
  }
  // An upload is over when it was cancelled, or when the server shows its job.
  const isOver = ({ upload }: Entry) => {
    if (upload?.state !== 'done') return upload?.state === 'cancelled'
    const job = herald.job(upload.job)
    return !!job && !job.local
  }
  const begin = (entry: Entry, file: File) => {
    entry.interrupted = entry.error = undefined
    entry.upload = upload(herald, file, { contentType: file.type || 'text/csv' })
    entry.end = entry.upload.subscribe(() => {
      // The file may be one that was interrupted: then there is one entry of it.
      entries = entries.filter((other) => other === entry || !other.interrupted || other.interrupted.job !== entry.upload!.job)
      changed()
    })
    return entry
  }
  const find = (key: string) => entries.find((entry) => entry.key === key)

  void resumable(herald).then((interrupted) => {
    if (closed) return
    const unknown = interrupted.filter(({ job }) => !entries.some(({ upload }) => upload?.job === job))
    entries = [...entries, ...unknown.map((one) => ({ key: `file ${count++}`, interrupted: one }))]
    changed()
  }, () => {}) // the client was closed before it was connected
  const end = herald.jobs.subscribe(() => entries.some(isOver) && changed())

  return {
    uploads: {
      getSnapshot: () => snapshot,
      subscribe(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    add(files) {
      entries = [...files.map((file) => begin({ key: `file ${count++}` }, file)).reverse(), ...entries]
      changed()
    },
    pause: (key) => find(key)?.upload?.pause(),
    resume(key, file) {
      const entry = find(key)
      const { interrupted } = entry ?? {}
      if (!interrupted || !file) return entry?.upload?.resume()
      if (file.name === interrupted.fileName && file.size === interrupted.size && file.lastModified === interrupted.lastModified) begin(entry!, file)
      else entry!.error = `That is another file, or it was changed. Choose the same ${interrupted.fileName} to go on, or cancel this upload.`
      changed()
    },
    cancel(key) {
      const entry = find(key)
      if (entry?.upload) void entry.upload.cancel()
      if (!entry?.interrupted) return
      const { job, fileName } = entry.interrupted
      save(herald.user(), job)
      herald.show({ uploadId: job, fileName, progress: 0, phase: 'upload', status: 'cancelled', message: 'Cancelled' })
      void herald.request('upload_abort', { uploadId: job }).catch(() => {}) // the server gives it up by itself after a day
      entries = entries.filter((other) => other !== entry)
      changed()
    },
    close() {
      closed = true
      end()
      for (const { upload, end } of entries) {
        end?.()
        upload?.pause()
      }
    },
  }
}

const states = { waiting: 'waiting', sending: 'sending', paused: 'paused', done: 'sent', failed: 'failed', cancelled: 'failed' } as const

function viewOf({ key, upload, interrupted, error }: Entry): FileUpload {
  if (interrupted) return { key, fileName: interrupted.fileName, size: interrupted.size, sent: interrupted.sent, job: interrupted.job, state: 'stopped', ...(error ? { error } : {}) }
  const { fileName, size, sent, job, state, error: reason } = upload!.getSnapshot()
  return { key, fileName, size, sent, state: states[state], ...(job ? { job } : {}), ...(reason ? { error: adviceForError(reason) } : {}) }
}
