import type { Frame, Herald, Store } from '../client/api.ts'
import { maxOpenUploads, maxUploadName, type UploadURL } from '../wire.ts'
import { UploadError } from './errors.ts'
import { isOf, lockOf, readSaved, save } from './saved.ts'
import { send } from './send.ts'
import { backoff, connected, pause } from './wait.ts'

/** The part of a job's progress that its upload has, in percent. The progress stays there until the server's is greater. */
export const uploadPercent = 20
/** After so many failures in a row without progress, while there is a connection, an upload has failed. */
const maxFailures = 8
/** How often progress is shown at most. */
const showEvery = 100
/** How long to wait at least, in milliseconds, before another attempt after an error that is no failure. */
const pauses: Record<string, number> = { UPLOAD_LIMIT: 30_000, RATE_LIMITED: 60_000, CONNECTION_LOST: 0 }

/**
 * - waiting: for a connection, or for other uploads of the user to end.
 * - sending: bytes are on their way.
 * - paused: what is stored stays; {@link Upload.resume} goes on.
 * - done: the file is stored, and the job goes on at the server.
 * - failed: see `error`; {@link Upload.resume} tries again.
 * - cancelled: nothing is stored.
 */
export type UploadState = 'waiting' | 'sending' | 'paused' | 'done' | 'failed' | 'cancelled'

/** What an upload has come to. The object is never changed. */
export interface UploadStatus {
  readonly state: UploadState
  /** The id of the job, or '' as long as the server has not given it one. */
  readonly job: string
  readonly fileName: string
  /** How many bytes of how many are sent. It never falls. */
  readonly sent: number
  readonly size: number
  /** Why it failed: an {@link UploadError}, or the error of the request to the server. Both have a `code`. */
  readonly error?: Error & { code?: string }
}

/** The options of {@link upload}. */
export interface UploadOptions {
  /** Cancels the upload. */
  signal?: AbortSignal
  /** The content type. Default: that of the file, or application/octet-stream. */
  contentType?: string
}

/** An upload of a file, and a store of its status. */
export interface Upload extends Store<UploadStatus> {
  readonly job: string
  readonly state: UploadState
  /** Resolves with the id of the job when the file is stored. It rejects with an {@link UploadError}, or the reason of an abort. */
  readonly done: Promise<string>
  /** Stops to send. Parts that are stored stay. */
  pause(): void
  /** Goes on after a pause or a failure. After a failure, `done` is another promise. */
  resume(): void
  /** Gives the upload up. The promise resolves when the server knows. */
  cancel(): Promise<void>
}

/** What uploads need of the client. */
export type Uploading = Pick<Herald, 'request' | 'show' | 'status' | 'user'>

// The uploads of this page that hold one of the user's places, and those that wait for one.
let places = maxOpenUploads
const queue: (() => void)[] = []

// Waits for a place. Returns a function that gives it back.
async function acquirePlace(): Promise<() => void> {
  if (places > 0) places--
  else await new Promise<void>((resolve) => queue.push(resolve))
  return () => {
    const next = queue.shift()
    if (next) next()
    else places++
  }
}

// Acquires the lock of an upload, so that one tab sends it. Returns a function that releases it, or nothing if another tab has it.
function acquireLock(job: string): Promise<(() => void) | undefined> {
  return new Promise((resolve) => {
    const { locks } = navigator
    if (!locks) return resolve(() => {})
    locks.request(lockOf(job), { ifAvailable: true }, (lock) => (
      lock ? new Promise<void>((release) => resolve(release)) : resolve(undefined)
    )).catch(() => resolve(() => {})) // locks are not for this page
  })
}

// Returns a name that the server accepts.
function cleanName(name: string): string {
  const clean = name.replace(/[\\/\p{Cc}\p{Cs}\ufffd]/gu, '_')
  return new TextEncoder().encode(clean).length > maxUploadName ? [...clean].slice(-maxUploadName / 4).join('') : clean
}

const messages = { waiting: 'Waiting to upload', sending: 'Uploading', paused: 'Paused', done: 'Uploaded', cancelled: 'Cancelled', failed: 'Not uploaded' }

/**
 * Uploads a file. Its bytes are the phase `upload` of its job, which the server goes on with. An upload of the same file that a
 * reload has interrupted is continued. At most five run at once; others wait. A lost network is waited for.
 */
export function upload(herald: Uploading, file: File, { signal, contentType = file.type || 'application/octet-stream' }: UploadOptions = {}): Upload {
  const listeners = new Set<() => void>()
  const request = `${Date.now()}${Math.random()}` // of the opening, which may be repeated when its answer is lost
  let now: UploadStatus = { state: 'waiting', job: '', fileName: cleanName(file.name), sent: 0, size: file.size }
  let run: AbortController | undefined
  let releaseLock: (() => void) | undefined
  let opening: Promise<UploadURL> | undefined
  let continued = false // the upload began before this page
  let shownAt = 0
  let user = herald.user()
  let resolve!: (job: string) => void
  let reject!: (reason: unknown) => void
  let done: Promise<string> | undefined

  function renewDone(): void {
    done = new Promise((onDone, onFailed) => {
      resolve = onDone
      reject = onFailed
    })
    done.catch(() => {}) // nobody has to wait
  }

  function set(change: Partial<UploadStatus>): void {
    now = { ...now, ...change }
    const { state, job, fileName, sent, size, error } = now
    if (job) {
      herald.show({
        uploadId: job, fileName, phase: 'upload', progress: uploadPercent * sent / size, message: error?.message ?? messages[state],
        status: state === 'failed' || state === 'cancelled' ? state : 'running',
      })
    }
    shownAt = Date.now()
    for (const listener of [...listeners]) listener()
  }

  // Shows how many bytes are sent. What is sent again is not shown again.
  function setSent(bytes: number): void {
    if (bytes <= now.sent) return
    const change = { sent: bytes }
    if (bytes === now.size || Date.now() - shownAt >= showEvery) set(change)
    else now = { ...now, ...change }
  }

  async function ask(action: string, fields: object): Promise<UploadURL> {
    return (await herald.request<'upload_url'>(action, { ...fields }) as Frame<'upload_url'>).data
  }

  const remember = (): void => save(user, now.job, { job: now.job, fileName: file.name, size: file.size, lastModified: file.lastModified, sent: now.sent, at: Date.now() })

  function dropLock(): void {
    releaseLock?.()
    releaseLock = undefined
  }

  function forget(): void {
    save(user, now.job)
    dropLock()
  }

  // Opens the upload, or asks what is missing of it.
  async function locate(signal: AbortSignal): Promise<UploadURL> {
    user ||= herald.user()
    if (user !== herald.user()) throw new UploadError('CLOSED', 'Another user has signed in')
    if (!now.job) {
      const saved = readSaved(user).find(isOf(file))
      releaseLock = saved && await acquireLock(saved.job)
      continued = !!releaseLock
      if (releaseLock) set({ job: saved!.job })
    } else releaseLock ??= await acquireLock(now.job)
    if (now.job) return ask('upload_resume', { uploadId: now.job })
    opening = ask('upload', { request, fileName: now.fileName, size: file.size, contentType })
    const answer = await opening
    set({ job: answer.uploadId })
    remember()
    signal.throwIfAborted()
    releaseLock = await acquireLock(now.job)
    return answer
  }

  // Does what is left, once.
  async function attempt(signal: AbortSignal): Promise<void> {
    await connected(herald)
    signal.throwIfAborted()
    let answer = await locate(signal)
    if (!answer.complete && !answer.aborted) {
      signal.throwIfAborted()
      set({ state: 'sending' })
      await send(answer, {
        file, signal,
        sent: setSent,
        missing: () => {
          remember()
          return ask('upload_resume', { uploadId: now.job })
        },
      })
      answer = await ask('upload_complete', { uploadId: now.job })
    }
    if (!answer.complete) throw new UploadError('UPLOAD_NOT_FOUND', 'The upload was given up')
  }

  // Returns how long to wait before another attempt, in milliseconds, or nothing if there is no use in one.
  function pauseAfter(code: string, failures: number): number | undefined {
    if (pauses[code] !== undefined) return pauses[code] * (1 + Math.random())
    if (/NETWORK|STORE|TIMEOUT|INTERNAL_ERROR|INCOMPLETE/.test(code) && failures < maxFailures) return backoff(failures)
  }

  // Attempts until the file is stored.
  async function work(stop: AbortSignal): Promise<void> {
    let failures = 0
    let before = -1
    for (;;) {
      const one = new AbortController() // ends what the attempt has begun
      const end = () => one.abort(stop.reason)
      stop.addEventListener('abort', end)
      try {
        return await attempt(one.signal)
      } catch (error: any) {
        stop.throwIfAborted()
        one.abort()
        const { code } = error
        if (code === 'NETWORK' && !await file.slice(0, 1).arrayBuffer().catch(() => 0)) {
          throw new UploadError('FILE_CHANGED', 'The file has changed since it was chosen')
        }
        if (code === 'UPLOAD_NOT_FOUND' && continued) { // the server has forgotten what the page before had begun
          forget()
          set({ job: '', sent: 0 })
          continued = false
          continue
        }
        failures = now.sent > before ? 0 : failures + 1
        before = now.sent
        const wait = pauseAfter(code, failures)
        if (wait === undefined) throw error
        if (code === 'UPLOAD_LIMIT') set({ state: 'waiting' })
        await pause(wait, stop)
      } finally {
        stop.removeEventListener('abort', end)
      }
    }
  }

  async function start(): Promise<void> {
    const { signal } = run = new AbortController()
    if (now.state === 'failed' || !done) renewDone()
    set({ state: 'waiting', error: undefined })
    const releasePlace = await acquirePlace()
    try {
      signal.throwIfAborted()
      await work(signal)
      forget()
      set({ state: 'done', sent: now.size })
      resolve(now.job)
    } catch (error: any) {
      if (!signal.aborted) {
        dropLock()
        set({ state: 'failed', error })
        reject(error)
      }
    }
    releasePlace()
  }

  async function cancel(): Promise<void> {
    if (now.state === 'done' || now.state === 'cancelled') return
    const reason = signal?.aborted ? signal.reason : new DOMException('The upload was cancelled', 'AbortError')
    set({ state: 'cancelled', error: undefined })
    run?.abort(reason)
    reject(reason)
    signal?.removeEventListener('abort', cancel)
    await opening?.catch(() => {}) // the server may have opened it all the same
    forget()
    for (let tries = 0; now.job && tries < maxFailures; tries++) {
      try {
        await ask('upload_abort', { uploadId: now.job })
        return
      } catch (error: any) {
        if (error.code !== 'CONNECTION_LOST' && error.code !== 'TIMEOUT') return
      }
    }
  }

  signal?.addEventListener('abort', cancel)
  void start()
  if (signal?.aborted) void cancel()
  return {
    get job() { return now.job },
    get state() { return now.state },
    get done() { return done! },
    getSnapshot: () => now,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    pause() {
      if (now.state !== 'waiting' && now.state !== 'sending') return
      set({ state: 'paused' })
      run!.abort()
    },
    resume() {
      if (now.state === 'paused' || now.state === 'failed') void start()
    },
    cancel,
  }
}
