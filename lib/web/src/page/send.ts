import { type Herald, HeraldError } from '../client/index.ts'

/** How often the bytes are shown to the other tabs, in milliseconds. */
const showEvery = 250
const tries = 4

export interface SendOptions {
  signal: AbortSignal
  /** The upload to continue, if the file was sent in part. */
  job?: string
  onProgress(sent: number, job: string): void
}

/** Sends a file, and resolves when the server has stored all of it. */
export type SendFile = (herald: Herald, file: File, options: SendOptions) => Promise<void>

/** What the server answers about an upload: see PROTOCOL.md. */
interface Answer {
  uploadId: string
  complete?: boolean
  aborted?: boolean
  url?: string
  headers?: Record<string, string>
  partSize?: number
  done?: [number, number][]
  parts?: { number: number; url: string }[]
}

export const sendFile: SendFile = async (herald, file, { signal, job, onProgress }) => {
  let shownAt = 0
  const ask = async (action: string, fields: Record<string, unknown>): Promise<Answer> => {
    const { data } = await herald.request(action, fields)
    signal.throwIfAborted()
    return data as Answer
  }
  const progress = (sent: number, id: string) => {
    onProgress(sent, id)
    if (Date.now() - shownAt < showEvery) return
    shownAt = Date.now()
    herald.show({ uploadId: id, fileName: file.name, progress: sent / file.size * 100, phase: 'upload', message: 'Uploading' })
  }

  let answer = job
    ? await ask('upload_resume', { uploadId: job })
    : await ask('upload', { fileName: file.name, size: file.size, contentType: file.type || 'text/csv' })
  const id = answer.uploadId
  progress(0, id)
  while (!answer.complete) {
    if (answer.aborted) throw new HeraldError('UPLOAD_NOT_FOUND', 'The upload was cancelled elsewhere')
    if (answer.url) {
      await put(answer.url, answer.headers ?? {}, file, signal, (sent) => progress(sent, id))
    } else {
      const size = answer.partSize!
      let sent = (answer.done ?? []).reduce((sum, [first, last]) => sum + (Math.min(last * size, file.size) - (first - 1) * size), 0)
      for (const { number, url } of answer.parts ?? []) {
        const part = file.slice((number - 1) * size, number * size)
        await put(url, {}, part, signal, (bytes) => progress(sent + bytes, id))
        sent += part.size
      }
      if (sent < file.size) {
        answer = await ask('upload_resume', { uploadId: id })
        continue
      }
    }
    answer = await ask('upload_complete', { uploadId: id })
  }
}

/** Puts bytes, and tries again where that helps. */
async function put(url: string, headers: Record<string, string>, body: Blob, signal: AbortSignal, onProgress: (sent: number) => void): Promise<void> {
  for (let i = 1; ; i++) {
    const status = await putOnce(url, headers, body, signal, onProgress)
    signal.throwIfAborted()
    if (status === 200 || status === 412) return // 412: it was stored before
    if (i === tries || status >= 400 && status < 500) throw new HeraldError('NETWORK', status ? `The storage answered ${status}` : 'The storage cannot be reached')
    await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** i * Math.random()))
  }
}

/** Resolves with the HTTP status, or 0 if there was none. */
function putOnce(url: string, headers: Record<string, string>, body: Blob, signal: AbortSignal, onProgress: (sent: number) => void): Promise<number> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest()
    request.open('PUT', url)
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.onprogress = ({ loaded }) => onProgress(loaded)
    request.onloadend = () => {
      signal.removeEventListener('abort', abort)
      resolve(request.status)
    }
    const abort = () => request.abort()
    signal.addEventListener('abort', abort)
    request.send(body)
  })
}
