import type { Herald } from '../client/index.ts'
import { sendFile, type SendFile } from './send.ts'
import { adviceForError, type FileUpload, type Uploader } from './uploader.ts'

/** How many files of this page are sent at once: the server has five open uploads of a user, and other tabs send, too. */
const mostAtOnce = 3
/** How long an upload waits when too many are open, in milliseconds. */
const limitPause = 5000

/** The errors after which an upload goes on by itself, once the connection is back. */
const passing = new Set(['CONNECTION_LOST', 'TIMEOUT', 'NETWORK'])

interface Sending {
  upload: FileUpload
  file: File
  controller?: AbortController
  notBefore: number
}

/** Returns the uploads of a user: files wait until there is a connection and a place, and are sent in the order in which they came. */
export function newUploader(herald: Herald, send: SendFile = sendFile): Uploader {
  let list: Sending[] = []
  let snapshot: readonly FileUpload[] = []
  let count = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  const listeners = new Set<() => void>()

  const changed = () => {
    snapshot = list.map(({ upload }) => upload)
    for (const listener of [...listeners]) listener()
  }
  const set = (sending: Sending, change: Partial<FileUpload>) => {
    sending.upload = { ...sending.upload, ...change }
    changed()
  }
  const find = (key: string) => list.find(({ upload }) => upload.key === key)
  const remove = (sending: Sending) => {
    list = list.filter((other) => other !== sending)
    changed()
  }

  const start = async (sending: Sending) => {
    const controller = sending.controller = new AbortController()
    set(sending, { state: 'sending', error: undefined })
    try {
      await send(herald, sending.file, {
        signal: controller.signal, job: sending.upload.job,
        onProgress: (sent, job) => { if (!controller.signal.aborted) set(sending, { sent: Math.max(sent, sending.upload.sent), job }) },
      })
      set(sending, { state: 'sent', sent: sending.upload.size })
    } catch (error) {
      if (!controller.signal.aborted) failed(sending, error)
    }
    pump()
  }
  const failed = (sending: Sending, error: unknown) => {
    const code = (error as { code?: string } | null)?.code ?? ''
    if (code === 'UPLOAD_LIMIT') sending.notBefore = Date.now() + limitPause
    if (code === 'UPLOAD_NOT_FOUND') sending.upload = { ...sending.upload, job: undefined, sent: 0 }
    if (code === 'UPLOAD_LIMIT' || passing.has(code) && !isConnected()) set(sending, { state: 'waiting' })
    else set(sending, { state: 'failed', error: adviceForError(error) })
  }
  const isConnected = () => ['live', 'syncing'].includes(herald.status.getSnapshot().state)
  const pump = () => {
    clearTimeout(timer)
    if (!isConnected()) return
    const now = Date.now()
    let free = mostAtOnce - list.filter(({ upload }) => upload.state === 'sending').length
    const waiting = list.filter(({ upload }) => upload.state === 'waiting').reverse()
    for (const sending of waiting) if (free > 0 && sending.notBefore <= now && free--) void start(sending)
    const later = waiting.filter(({ notBefore }) => notBefore > now)
    if (later.length > 0) timer = setTimeout(pump, Math.min(...later.map(({ notBefore }) => notBefore)) - now)
  }
  const dropShown = () => {
    const shown = ({ upload }: Sending) => {
      const job = upload.job && upload.state === 'sent' ? herald.job(upload.job) : undefined
      return job && !job.local
    }
    if (list.some(shown)) {
      list = list.filter((sending) => !shown(sending))
      changed()
    }
  }
  const ends = [herald.status.subscribe(pump), herald.jobs.subscribe(dropShown)]

  return {
    uploads: {
      getSnapshot: () => snapshot,
      subscribe(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    add(files) {
      const added = files.map((file): Sending => ({ file, notBefore: 0, upload: { key: `file ${count++}`, fileName: file.name, size: file.size, state: 'waiting', sent: 0 } }))
      list = [...added.reverse(), ...list]
      changed()
      pump()
    },
    pause(key) {
      const sending = find(key)
      if (sending?.upload.state !== 'sending') return
      sending.controller?.abort()
      set(sending, { state: 'paused' })
      pump()
    },
    resume(key) {
      const sending = find(key)
      if (!sending || !['paused', 'failed'].includes(sending.upload.state)) return
      set(sending, { state: 'waiting', error: undefined })
      pump()
    },
    cancel(key) {
      const sending = find(key)
      if (!sending || sending.upload.state === 'sent') return
      sending.controller?.abort()
      const { job, fileName } = sending.upload
      if (job) {
        void herald.request('upload_abort', { uploadId: job }).catch(() => {}) // the server gives it up by itself later
        herald.show({ uploadId: job, fileName, progress: 0, status: 'cancelled', message: 'You cancelled the upload' })
      }
      remove(sending)
      pump()
    },
    close() {
      clearTimeout(timer)
      for (const end of ends) end()
      for (const { controller } of list) controller?.abort()
    },
  }
}
