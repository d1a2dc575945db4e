// A browser with several tabs, which share locks and channels. Tabs can be frozen and killed.
import { AsyncLocalStorage } from 'node:async_hooks'
import { vi } from 'vitest'
import type { Herald, Options } from '../src/client/api.ts'
import { beginTest, FakeSocket, type Server, settle } from './world.ts'

const current = new AsyncLocalStorage<Tab>()

export class Tab {
  readonly name: string
  frozen = false
  dead = false
  readonly sockets: FakeSocket[] = []
  readonly channels: FakeChannel[] = []
  #waiting: (() => void)[] = []
  readonly window = new EventTarget()
  connect!: (options: Options) => Herald

  constructor(name: string) {
    this.name = name
  }

  /** Runs something in this tab, now or when it is not frozen any more. */
  run(what: () => void): void {
    if (this.dead) return
    if (this.frozen) this.#waiting.push(what)
    else current.run(this, what)
  }

  get socket(): FakeSocket | undefined {
    return this.sockets.find(({ readyState }) => readyState < 2)
  }

  /** Something happens to this tab's window only. */
  event(type: string): void {
    this.window.dispatchEvent(new Event(type))
  }

  /** The tab is gone: its sockets end, its locks fall to others. */
  async kill(): Promise<void> {
    this.dead = true
    for (const socket of this.sockets) socket.lose()
    locks.dropAll(this)
    await settle()
  }

  async thaw(): Promise<void> {
    this.frozen = false
    for (const what of this.#waiting.splice(0)) this.run(what)
    await settle()
  }
}

class FakeChannel {
  static all: FakeChannel[] = []
  readonly tab = current.getStore()!
  readonly name: string
  closed = false
  onmessage: ((event: { data: unknown }) => void) | null = null

  constructor(name: string) {
    this.name = name
    FakeChannel.all.push(this)
    this.tab.channels.push(this)
  }

  postMessage(data: unknown): void {
    if (this.closed) throw new Error('posted to a closed channel')
    if (this.tab.dead) return
    const copy = structuredClone(data)
    for (const other of FakeChannel.all) {
      if (other === this || other.name !== this.name) continue
      queueMicrotask(() => other.tab.run(() => {
        if (!other.closed) other.onmessage?.({ data: structuredClone(copy) })
      }))
    }
  }

  close(): void {
    this.closed = true
  }
}

interface Request {
  tab: Tab
  name: string
  steal?: boolean
  signal?: AbortSignal
  grant(): void
  reject(error: Error): void
}

class FakeLocks {
  held = new Map<string, Request>()
  queue: Request[] = []

  request(name: string, options: { steal?: boolean; signal?: AbortSignal }, callback: () => unknown): Promise<void> {
    const tab = current.getStore()!
    return new Promise((resolve, reject) => {
      const request: Request = {
        tab, name, ...options,
        reject: (error) => tab.run(() => reject(error)),
        grant: () => {
          this.held.set(name, request)
          tab.run(() => {
            void Promise.resolve(callback()).then(() => {
              if (this.held.get(name) === request) this.held.delete(name)
              resolve()
              this.next()
            })
          })
        },
      }
      options.signal?.addEventListener('abort', () => {
        if (!this.queue.includes(request)) return
        this.queue.splice(this.queue.indexOf(request), 1)
        request.reject(new DOMException('aborted', 'AbortError'))
      })
      if (options.steal) {
        const holder = this.held.get(name)
        this.held.delete(name)
        holder?.reject(new DOMException('stolen', 'AbortError'))
        this.queue.unshift(request)
      } else this.queue.push(request)
      queueMicrotask(() => this.next())
    })
  }

  next(): void {
    for (const request of [...this.queue]) {
      if (this.held.has(request.name)) continue
      this.queue.splice(this.queue.indexOf(request), 1)
      this.held.set(request.name, request)
      request.grant()
    }
  }

  dropAll(tab: Tab): void {
    this.queue = this.queue.filter((request) => request.tab !== tab)
    for (const [name, request] of this.held) if (request.tab === tab) this.held.delete(name)
    this.next()
  }
}

let locks: FakeLocks

/** Begins a test with several tabs. */
export function beginTabs(server: Server): void {
  const page = beginTest({
    ...server,
    connects(socket) {
      current.getStore()!.sockets.push(socket)
      server.connects?.(socket)
    },
  })
  vi.mocked(Math.random).mockRestore()
  locks = new FakeLocks()
  FakeChannel.all = []
  page.navigator.locks = locks
  vi.stubGlobal('BroadcastChannel', FakeChannel)
  vi.stubGlobal('addEventListener', (...listener: Parameters<EventTarget['addEventListener']>) => current.getStore()!.window.addEventListener(...listener))
  const { setTimeout: set } = globalThis
  vi.stubGlobal('setTimeout', (what: () => void, ms: number, ...rest: never[]) => {
    const tab = current.getStore()
    return set(tab ? () => tab.run(() => (what as (...rest: never[]) => void)(...rest)) : what, ms, ...rest)
  })
  // A socket's events happen in its tab.
  const { prototype } = FakeSocket
  vi.stubGlobal('WebSocket', class extends FakeSocket {
    readonly tab = current.getStore()!
    override post(frame: unknown): void {
      this.tab.run(() => prototype.post.call(this, frame))
    }
    override lose(): void {
      if (this.readyState === 3) return
      this.readyState = 3
      this.tab.run(() => this.onclose?.())
    }
  })
}

/** Opens a tab with a client of its own. */
export async function openTab(name: string): Promise<Tab> {
  const tab = new Tab(name)
  vi.resetModules()
  const { connect } = (await import(process.env.HERALD_DIST ? '../dist/herald.js' : '../src/client/connect.ts')) as typeof import('../src/client/connect.ts')
  tab.connect = (options) => current.run(tab, () => connect(options))
  return tab
}

/** Returns a token of a user: a JWT without a signature. */
export function tokenOf(sub: string, more: object = {}): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub, ...more })}.x`
}
