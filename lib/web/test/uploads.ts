import { vi } from 'vitest'
import { type Frame, HeraldError } from '../src/client/api.ts'
import type { Upload } from '../src/uploads/index.ts'
import type { UploadURL } from '../src/wire.ts'
import { type FakeHerald, fakeHerald } from './fake.ts'
import { beginTest, endTest, type FakePage, settle } from './world.ts'
import { beginOrigin, beginStore, type FakeOrigin, FakeRequest, type FakeStore } from './xhr.ts'

interface Stored {
  id: string
  request: string
  fileName: string
  contentType: string
  size: number
  parts: Map<number, string>
  content?: string
  outcome?: 'complete' | 'aborted'
  /** The URLs of an older version have expired. */
  version: number
}

/** A server with a store of files, as the protocol describes them: files of over 10 bytes have parts of 4 bytes. */
export class UploadServer {
  readonly uploads: Stored[] = []
  /** Which messages came, in order. */
  readonly messages: string[] = []
  /** Answers to the next messages of an action instead of those of the server: a code of an error, or LOST for an answer that is. */
  readonly refusals: Record<string, string[]> = {}
  /** The status of the next requests to the store. */
  statuses: number[] = []
  maxURLs = 16
  maxOpen = 5
  readonly herald: FakeHerald
  readonly store: FakeStore
  readonly page: FakePage
  origin: FakeOrigin

  constructor() {
    this.page = beginTest()
    let random = 7
    vi.spyOn(Math, 'random').mockImplementation(() => (random = (random * 9301 + 49297) % 233280) / 233280)
    vi.stubGlobal('removeEventListener', this.page.window.removeEventListener.bind(this.page.window))
    this.origin = beginOrigin()
    this.store = beginStore((request) => this.put(request))
    this.herald = this.newHerald()
  }

  /** Another page of the same browser: after a reload, or another tab. */
  newHerald(): FakeHerald {
    const herald = fakeHerald()
    herald.answer = (action, fields) => this.answer(action, fields)
    return herald
  }

  /** The page is gone: its requests end, and its locks are free. */
  reload(): void {
    for (const request of this.store.running()) request.state = 'aborted'
    this.origin.held.clear()
  }

  end(): void {
    endTest()
  }

  private find(id: unknown): Stored {
    const found = this.uploads.find((one) => one.id === id)
    if (!found) throw new HeraldError('UPLOAD_NOT_FOUND')
    return found
  }

  private async answer(action: string, fields: Record<string, unknown>): Promise<Frame> {
    await Promise.resolve()
    this.messages.push(action)
    const refusal = this.refusals[action]?.shift()
    if (refusal && refusal !== 'LOST') throw new HeraldError(refusal)
    const data = this.carryOut(action, fields)
    if (refusal === 'LOST') throw new HeraldError('CONNECTION_LOST')
    return { type: 'upload_url', timestamp: '', data } as Frame
  }

  private carryOut(action: string, fields: Record<string, unknown>): UploadURL {
    if (action === 'upload') return this.urls(this.open(fields))
    const one = this.find(fields.uploadId)
    if (one.outcome) return this.ended(one)
    if (action === 'upload_abort') one.outcome = one.content === undefined ? 'aborted' : 'complete'
    if (action === 'upload_complete') {
      if (one.size > 10 && one.parts.size === Math.ceil(one.size / 4)) {
        one.content = [...one.parts.keys()].sort((a, b) => a - b).map((n) => one.parts.get(n)).join('')
      }
      if (one.content?.length !== one.size) throw new HeraldError('UPLOAD_INCOMPLETE')
      one.outcome = 'complete'
    }
    if (action === 'upload_resume') one.version++
    return one.outcome ? this.ended(one) : this.urls(one)
  }

  private ended({ id, outcome }: Stored): UploadURL {
    return { request: '', uploadId: id, [outcome!]: true }
  }

  private open({ request, fileName, size, contentType }: Record<string, unknown>): Stored {
    const known = this.uploads.find((one) => one.request === request && !one.outcome)
    if (known) return known
    if (this.uploads.filter(({ outcome }) => !outcome).length >= this.maxOpen) throw new HeraldError('UPLOAD_LIMIT')
    const one = { id: `u${this.uploads.length}`, request, fileName, size, contentType, parts: new Map(), version: 0 } as Stored
    this.uploads.push(one)
    return one
  }

  private urls(one: Stored): UploadURL {
    const answer = { request: '', uploadId: one.id, size: one.size }
    if (one.size <= 10) {
      return { ...answer, method: 'PUT', url: `https://store/${one.id}?v=${one.version}`, headers: { 'Content-Type': one.contentType, 'If-None-Match': '*' } }
    }
    const numbers = Array.from({ length: Math.ceil(one.size / 4) }, (_, i) => i + 1)
    return {
      ...answer, partSize: 4,
      done: numbers.filter((n) => one.parts.has(n)).map((n) => [n, n]),
      parts: numbers.filter((n) => !one.parts.has(n)).slice(0, this.maxURLs).map((number) => ({ number, url: `https://store/${one.id}/${number}?v=${one.version}` })),
    }
  }

  /** All URLs expire. */
  expire(): void {
    for (const one of this.uploads) one.version++
  }

  /** A request has arrived whole. It is stored, unless its URL has expired. */
  async put(request: FakeRequest): Promise<void> {
    const status = this.statuses.shift() ?? 200
    const [, id, , number, version] = /store\/(\w+)(\/(\d+))?\?v=(\d+)/.exec(request.url)!
    const one = this.find(id)
    const content = await request.body.text()
    if (request.state !== 'running') return
    request.progress(request.body.size)
    if (status !== 200) return request.end(status)
    if (Number(version) !== one.version && one.size <= 10) return request.end(403)
    if (number) one.parts.set(Number(number), content)
    else if (one.content !== undefined) return request.end(412)
    else one.content = content
    request.end(200)
  }
}

export function fileOf(content: string, name = 'parts list.csv', lastModified = 7): File {
  return new File([content], name, { type: 'text/csv', lastModified })
}

/** Lets promises of blobs settle, too, which are no microtasks. */
export async function breathe(): Promise<void> {
  for (let i = 0; i < 30; i++) {
    await settle()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Moves the virtual time forward by steps, in milliseconds. */
export async function passSteps(ms: number, step = 500): Promise<void> {
  for (let at = 0; at < ms; at += step) {
    await breathe()
    await vi.advanceTimersByTimeAsync(step)
  }
  await breathe()
}

/** A file of 18 parts of 4 bytes. */
export const large = 'The quick brown fox jumps over the lazy dog, again and again and again.'

/** Returns what the promise of an upload has come to: the job, or the error's code. */
export function outcome(one: Upload): () => unknown {
  let result: unknown = 'waiting'
  one.done.then((job) => { result = job }, (error) => { result = (error instanceof DOMException ? error.name : error.code) ?? error })
  return () => result
}

/** Returns the module in a page of its own: it counts the uploads of its page. */
export async function openPage(): Promise<typeof import('../src/uploads/index.ts')> {
  vi.resetModules()
  return import('../src/uploads/index.ts')
}
