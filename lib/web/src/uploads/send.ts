import type { UploadURL } from '../wire.ts'
import { UploadError } from './errors.ts'
import { backoff, pause } from './wait.ts'

/** After so long without progress a request is given up. */
const stallAfter = 60_000
/** How many parts are sent at once, and how often a part is tried before the upload asks the server again. */
const parallel = 4
const partTries = 5

/** What sending needs of an upload. */
export interface Sender {
  file: File
  signal: AbortSignal
  /** Says how many bytes are sent, counting those that are under way. */
  sent(bytes: number): void
  /** Asks the server which parts are missing, and for their URLs. */
  missing(): Promise<UploadURL>
}

// Returns the error of a PUT that stored nothing.
function failed(status: number): UploadError {
  return status ? new UploadError('STORE', `The store of files answered ${status}`) : new UploadError('NETWORK', 'The network failed')
}

// Sends a PUT, and returns the status of its response. It is 0 if the network failed.
function put(url: string, body: Blob, signal: AbortSignal, sent: (bytes: number) => void, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest()
    let stalled: ReturnType<typeof setTimeout> | undefined
    const stop = () => request.abort()
    request.open('PUT', url)
    for (const name in headers) request.setRequestHeader(name, headers[name]!)
    request.upload.onprogress = ({ loaded }) => {
      clearTimeout(stalled) // before its first progress, a request may wait for others
      stalled = setTimeout(stop, stallAfter)
      sent(Math.min(loaded, body.size))
    }
    request.onloadend = () => {
      clearTimeout(stalled)
      signal.removeEventListener('abort', stop)
      resolve(request.status)
    }
    signal.addEventListener('abort', stop)
    if (signal.aborted) resolve(0)
    else request.send(body)
  })
}

const isStored = (status: number): boolean => status >= 200 && status < 300

/** Sends the missing bytes of a file to where an answer of the server says. It rejects with an {@link UploadError}. */
export async function send(answer: UploadURL, sender: Sender): Promise<void> {
  const { file, signal, sent } = sender
  if (answer.partSize) return sendParts(answer, sender)
  const status = await put(answer.url!, file, signal, sent, answer.headers)
  signal.throwIfAborted()
  if (!isStored(status) && status !== 412) throw failed(status) // 412: an earlier request has stored it
}

async function sendParts(first: UploadURL, { file, signal, sent, missing }: Sender): Promise<void> {
  const partSize = first.partSize!
  const count = Math.ceil(file.size / partSize)
  const loaded = Array<number>(count + 1).fill(0) // bytes of each part
  const stored = new Set<number>()
  const busy = new Set<number>()
  let urls = new Map<number, string>()
  let asking: Promise<void> | undefined

  const part = (number: number): Blob => file.slice((number - 1) * partSize, number * partSize)

  function setLoaded(number: number, bytes: number): void {
    loaded[number] = bytes
    sent(loaded.reduce((a, b) => a + b))
  }

  function store(number: number): void {
    stored.add(number)
    setLoaded(number, part(number).size)
  }

  function applyAnswer({ done, parts }: UploadURL): void {
    for (const [from, to] of done ?? []) for (let n = from; n <= to; n++) if (!stored.has(n)) store(n)
    urls = new Map(parts?.map(({ number, url }) => [number, url]))
  }

  // Asks for the URLs of missing parts, once for all that wait.
  function ask(): Promise<void> {
    return asking ??= missing().then(applyAnswer).finally(() => { asking = undefined })
  }

  const isFree = (number: number): boolean => !stored.has(number) && !busy.has(number)
  const next = (): number | undefined => [...urls.keys()].find(isFree)

  // Sends one part after the other, as long as there is one that nobody sends.
  async function work(): Promise<void> {
    for (;;) {
      if (!next() && stored.size + busy.size < count) await ask()
      const number = next()
      if (!number) return
      busy.add(number)
      await sendPart(number)
      busy.delete(number)
    }
  }

  async function sendPart(number: number): Promise<void> {
    for (let tries = 1; !stored.has(number); tries++) {
      const status = await put(urls.get(number)!, part(number), signal, (bytes) => setLoaded(number, bytes))
      signal.throwIfAborted()
      if (isStored(status)) return store(number)
      setLoaded(number, 0)
      if (tries >= partTries || status === 404) throw failed(status)
      if (status === 403) await ask() // its URL has expired
      else await pause(backoff(tries), signal)
      if (!urls.has(number) && !stored.has(number)) throw failed(status)
    }
  }

  applyAnswer(first)
  await Promise.all(Array.from({ length: parallel }, work))
}
