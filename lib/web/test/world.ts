import { vi } from 'vitest'

/** What a fake server does with the sockets of a test. */
export interface Server {
  /** Called with each new socket. It opens by itself one microtask later, unless `refuse` is called before. */
  connects?(socket: FakeSocket): void
  sends?(socket: FakeSocket, message: Record<string, unknown>): void
  closes?(socket: FakeSocket): void
}

/** A WebSocket whose server is a test. */
export class FakeSocket {
  static server: Server = {}
  static all: FakeSocket[] = []
  readonly url: string
  readonly protocols: string[]
  readyState = 0
  refused = false
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: (() => void) | null = null

  constructor(url: string, protocols: string[]) {
    this.url = url
    this.protocols = protocols
    FakeSocket.all.push(this)
    FakeSocket.server.connects?.(this)
    queueMicrotask(() => {
      if (this.readyState !== 0) return
      if (this.refused) this.lose()
      else {
        this.readyState = 1
        this.onopen?.()
      }
    })
  }

  get token(): string {
    return this.protocols[1]!
  }

  get open(): boolean {
    return this.readyState === 1
  }

  send(text: string): void {
    FakeSocket.server.sends?.(this, JSON.parse(text))
  }

  close(): void {
    if (this.readyState === 3) return
    const wasOpen = this.open
    this.readyState = 3
    if (wasOpen) FakeSocket.server.closes?.(this)
    queueMicrotask(() => this.onclose?.())
  }

  /** The connection ends without a word. */
  lose(): void {
    if (this.readyState === 3) return
    this.readyState = 3
    this.onclose?.()
  }

  post(frame: unknown): void {
    if (this.open) this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) })
  }
}

/** A page of a browser: what the client uses of it. */
export interface FakePage {
  document: { hidden: boolean }
  window: EventTarget
  navigator: { onLine: boolean; locks?: unknown }
}

/** Lets the microtasks run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve()
}

/** The start of the virtual time of tests. */
export const startTime = Date.UTC(2026, 10, 22, 10)

/** Begins a test in virtual time, in a page of its own, with random numbers of 0.5, and without other tabs. */
export function beginTest(server: Server = {}): FakePage {
  vi.useFakeTimers({ now: startTime, toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  FakeSocket.server = server
  FakeSocket.all = []
  const page: FakePage = {
    document: { hidden: false },
    window: new EventTarget(),
    navigator: { onLine: true },
  }
  vi.stubGlobal('WebSocket', FakeSocket)
  vi.stubGlobal('document', page.document)
  vi.stubGlobal('window', page.window)
  vi.stubGlobal('addEventListener', page.window.addEventListener.bind(page.window))
  vi.stubGlobal('navigator', page.navigator)
  vi.stubGlobal('fetch', async () => ({}))
  return page
}

export function endTest(): void {
  vi.clearAllTimers()
  vi.useRealTimers()
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
}

/** Moves the virtual time forward, in milliseconds. */
export async function pass(ms: number): Promise<void> {
  await settle()
  await vi.advanceTimersByTimeAsync(ms)
  await settle()
}
