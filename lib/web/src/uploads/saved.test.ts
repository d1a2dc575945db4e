import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { breathe, fileOf, large, openPage, passSteps, UploadServer } from '../../test/uploads.ts'

let server: UploadServer
let upload: typeof import('./index.ts')['upload']
let resumable: typeof import('./index.ts')['resumable']

beforeEach(async () => {
  server = new UploadServer()
  ;({ upload, resumable } = await openPage())
})
afterEach(() => server.end())

describe('after a reload', () => {
  // Sends the first parts of a file, and leaves the page.
  async function interrupt(content: string, parts: number): Promise<void> {
    server.store.answers = undefined
    upload(server.herald, fileOf(content))
    await breathe()
    for (const request of server.store.requests.slice(0, parts)) await server.put(request)
    await breathe()
    server.reload()
    server.store.answers = (request) => void server.put(request)
  }

  test('the same file is offered, and continues the same job without what is stored', async () => {
    await interrupt(large, 3)
    const sent = server.store.requests.length
    const herald = server.newHerald()
    expect(await resumable(herald)).toMatchObject([{ job: 'u0', fileName: 'parts list.csv', size: large.length, lastModified: 7 }])
    expect(await resumable(herald, fileOf(large))).toHaveLength(1)
    const one = upload(herald, fileOf(large))
    await breathe()
    expect(await one.done).toBe('u0')
    expect(server.uploads.length).toBe(1)
    expect(server.uploads[0]!.content).toBe(large)
    expect(server.store.requests.length - sent).toBe(15)
    expect(herald.job('u0')!.progress).toBe(20)
    expect(await resumable(herald)).toEqual([])
  })

  test('a whole file continues with a new URL', async () => {
    await interrupt('12345', 0)
    const one = upload(server.newHerald(), fileOf('12345'))
    await breathe()
    expect(await one.done).toBe('u0')
    expect(server.messages).toEqual(['upload', 'upload_resume', 'upload_complete'])
  })

  test('an upload that was completed meanwhile is done', async () => {
    await interrupt(large, 4)
    server.uploads[0]!.outcome = 'complete'
    const one = upload(server.newHerald(), fileOf(large))
    await breathe()
    expect(await one.done).toBe('u0')
    expect(server.store.running()).toEqual([])
  })

  test.each(['another name', 'another size', 'another time'])('a file with %s is another one', async (what) => {
    await interrupt(large, 3)
    const file = fileOf(what === 'another size' ? `${large}!` : large, what === 'another name' ? 'b' : undefined, what === 'another time' ? 8 : undefined)
    expect(await resumable(server.newHerald(), file)).toEqual([])
    const one = upload(server.newHerald(), file)
    await breathe()
    expect(await one.done).toBe('u1')
  })

  test('other users of the browser do not see it', async () => {
    await interrupt(large, 3)
    const herald = server.newHerald()
    herald.user = () => 'u2'
    expect(await resumable(herald)).toEqual([])
    const one = upload(herald, fileOf(large))
    await breathe()
    expect(await one.done).toBe('u1')
  })

  test('what the server has given up begins anew', async () => {
    for (const outcome of ['aborted', 'gone'] as const) {
      await interrupt(large, 3)
      const old = server.uploads.at(-1)!
      if (outcome === 'aborted') old.outcome = outcome
      else old.id = 'forgotten'
      const one = upload(server.newHerald(), fileOf(large))
      await breathe()
      expect(await one.done).toBe(`u${server.uploads.length - 1}`)
      expect(server.uploads.at(-1)!.content).toBe(large)
    }
  })

  test('it is offered for a day', async () => {
    await interrupt(large, 3)
    await passSteps(86_300_000, 10_000_000)
    expect(await resumable(server.newHerald())).toHaveLength(0)
  })

  test('an upload that another tab is sending is neither offered nor continued', async () => {
    server.store.answers = undefined
    const first = upload(server.herald, fileOf(large))
    await breathe()
    const other = server.newHerald()
    expect(await resumable(other)).toEqual([])
    const second = upload(other, fileOf(large))
    await breathe()
    expect([first.job, second.job]).toEqual(['u0', 'u1'])
  })

  test('a browser without storage and locks uploads all the same', async () => {
    Object.defineProperty(globalThis, 'localStorage', { configurable: true, get() { throw new DOMException('', 'SecurityError') } })
    server.page.navigator.locks = undefined
    const one = upload(server.herald, fileOf(large))
    await breathe()
    expect(await one.done).toBe('u0')
    expect(await resumable(server.herald)).toEqual([])
  })

  test('nothing of a file or a URL is stored but name, size, time and the job', async () => {
    await interrupt(large, 3)
    const text = [...server.origin.items.values()].join()
    expect(text).not.toContain('quick')
    expect(text).not.toContain('https://')
    expect([...server.origin.items.keys()]).toEqual(['herald uploads u1'])
  })
})
