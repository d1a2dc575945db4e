import { vi } from 'vitest'

/** What a fake store of files has got, and how it answers. */
export interface FakeStore {
  /** All requests, in order. */
  readonly requests: FakeRequest[]
  /** The requests that are under way. */
  running(): FakeRequest[]
  /** The most that were under way at once. */
  most: number
  /** Called with each request when it is sent. By default it waits. */
  answers?: (request: FakeRequest) => void
}

/** An XMLHttpRequest whose server is a test. */
export class FakeRequest {
  static store: FakeStore
  method = ''
  url = ''
  status = 0
  readonly headers: Record<string, string> = {}
  body!: Blob
  state: 'new' | 'running' | 'ended' | 'aborted' = 'new'
  readonly upload: { onprogress?: (event: { loaded: number }) => void } = {}
  onloadend?: () => void

  open(method: string, url: string): void {
    this.method = method
    this.url = url
  }

  setRequestHeader(name: string, value: string): void {
    this.headers[name] = value
  }

  send(body: Blob): void {
    this.body = body
    this.state = 'running'
    FakeRequest.store.requests.push(this)
    FakeRequest.store.most = Math.max(FakeRequest.store.most, FakeRequest.store.running().length)
    queueMicrotask(() => FakeRequest.store.answers?.(this))
  }

  abort(): void {
    if (this.state !== 'running') return
    this.state = 'aborted'
    this.onloadend?.()
  }

  /** So many bytes are sent. */
  progress(loaded: number): void {
    if (this.state === 'running') this.upload.onprogress?.({ loaded })
  }

  /** The response has come; 0 is a failure of the network. */
  end(status: number): void {
    if (this.state !== 'running') return
    this.state = 'ended'
    this.status = status
    this.onloadend?.()
  }
}

export function beginStore(answers?: FakeStore['answers']): FakeStore {
  const store: FakeStore = { requests: [], running: () => store.requests.filter(({ state }) => state === 'running'), most: 0, answers }
  FakeRequest.store = store
  vi.stubGlobal('XMLHttpRequest', FakeRequest)
  return store
}

/** A page's localStorage, and its locks, which all tabs share. */
export interface FakeOrigin {
  readonly items: Map<string, string>
  readonly held: Set<string>
}

export function beginOrigin(): FakeOrigin {
  const origin: FakeOrigin = { items: new Map(), held: new Set() }
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => origin.items.get(key) ?? null,
    setItem: (key: string, value: string) => void origin.items.set(key, value),
    removeItem: (key: string) => void origin.items.delete(key),
  })
  Object.assign(navigator, {
    locks: {
      async request(name: string, _options: object, callback: (lock: object | null) => Promise<void> | undefined) {
        if (origin.held.has(name)) return callback(null)
        origin.held.add(name)
        await callback({})
        origin.held.delete(name)
      },
      query: async () => ({ held: [...origin.held].map((name) => ({ name })) }),
    },
  })
  return origin
}
