import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Job } from '../client/api.ts'
import { breathe, fileOf, large, openPage, outcome, passSteps, UploadServer } from '../../test/uploads.ts'

let server: UploadServer
let upload: typeof import('./index.ts')['upload']

beforeEach(async () => {
  server = new UploadServer()
  ;({ upload } = await openPage())
})
afterEach(() => server.end())

// Records the shares that the list of jobs shows.
function watch(): number[] {
  const seen: number[] = []
  server.herald.jobs.subscribe(() => {
    const job = server.herald.jobs.getSnapshot()[0] as Job
    seen.push(job.progress)
  })
  return seen
}

const isRising = (numbers: number[]): boolean => numbers.every((n, i) => i === 0 || n >= numbers[i - 1]!)

describe('sending', () => {
  test('a small file is one PUT with exactly the headers that were signed, and is completed', async () => {
    const one = upload(server.herald, fileOf('12345'))
    expect(one.state).toBe('waiting')
    await breathe()
    expect(outcome(one)).toBeTypeOf('function')
    expect(await one.done).toBe('u0')
    expect(one.job).toBe('u0')
    expect(one.getSnapshot()).toMatchObject({ state: 'done', sent: 5, size: 5, fileName: 'parts list.csv' })
    expect(server.uploads[0]).toMatchObject({ content: '12345', outcome: 'complete', contentType: 'text/csv' })
    expect(server.store.requests.map(({ method, headers }) => [method, headers])).toEqual([['PUT', { 'Content-Type': 'text/csv', 'If-None-Match': '*' }]])
    expect(server.messages).toEqual(['upload', 'upload_complete'])
  })

  test('a large file is sent in parts, four at once, and none twice', async () => {
    const one = upload(server.herald, fileOf(large))
    await breathe()
    expect(await one.done).toBe('u0')
    expect(server.uploads[0]).toMatchObject({ content: large, outcome: 'complete' })
    expect(server.store.most).toBe(4)
    expect(new Set(server.store.requests.map(({ url }) => url.split('?')[0])).size).toBe(18)
    expect(server.store.requests.every(({ headers }) => Object.keys(headers).length === 0)).toBe(true)
  })

  test('more URLs are asked for when all are used, by one message for all that wait', async () => {
    server.maxURLs = 6
    const one = upload(server.herald, fileOf(large))
    await breathe()
    expect(await one.done).toBe('u0')
    expect(server.uploads[0]!.content).toBe(large)
    expect(server.messages.filter((action) => action === 'upload_resume').length).toBeLessThanOrEqual(6)
    expect(server.store.requests.length).toBe(18)
  })

  test('a frame with a single URL is enough to go on', async () => {
    server.maxURLs = 1
    const one = upload(server.herald, fileOf(large))
    await breathe()
    await passSteps(5000)
    expect(await one.done).toBe('u0')
    expect(server.uploads[0]!.content).toBe(large)
  })

  test('the content type is that of the file, of the option, or bytes', async () => {
    upload(server.herald, fileOf('1'))
    upload(server.herald, fileOf('12', 'b'), { contentType: 'text/plain' })
    upload(server.herald, new File(['123'], 'c'))
    await breathe()
    expect(server.uploads.map(({ contentType }) => contentType)).toEqual(['text/csv', 'text/plain', 'application/octet-stream'])
  })

  test('a name that the server refuses is cleaned, and keeps its ending', async () => {
    upload(server.herald, fileOf('1', 'a\\b/c\u0000d\ufffde.csv'))
    upload(server.herald, fileOf('12', `${'名'.repeat(250)}.csv`))
    await breathe()
    expect(server.uploads[0]!.fileName).toBe('a_b_c_d_e.csv')
    expect(new TextEncoder().encode(server.uploads[1]!.fileName).length).toBeLessThanOrEqual(640)
    expect(server.uploads[1]!.fileName).toMatch(/^名+\.csv$/)
  })

  test('five uploads run at once, the others wait for a place', async () => {
    server.store.answers = undefined
    const all = Array.from({ length: 8 }, (_, i) => upload(server.herald, fileOf('12345', `f${i}`)))
    await breathe()
    expect(server.uploads.length).toBe(5)
    expect(all.map(({ state }) => state)).toEqual([...Array(5).fill('sending'), ...Array(3).fill('waiting')])
    server.store.answers = (request) => void server.put(request)
    for (const request of server.store.running()) void server.put(request)
    await breathe()
    expect(await Promise.all(all.map(({ done }) => done))).toHaveLength(8)
    expect(server.messages.filter((action) => action === 'upload')).toHaveLength(8)
  })
})

describe('what is shown', () => {
  test('the bytes are the phase upload of the job, in its first 20 percent', async () => {
    server.store.answers = undefined
    upload(server.herald, fileOf('1234567890'))
    await breathe()
    const shown = () => server.herald.job('u0')
    expect(shown()).toMatchObject({ phase: 'upload', progress: 0, status: 'running', local: true, fileName: 'parts list.csv', message: 'Uploading' })
    await passSteps(500)
    server.store.requests[0]!.progress(5)
    expect(shown()).toMatchObject({ progress: 10 })
    void server.put(server.store.requests[0]!)
    await breathe()
    expect(shown()).toMatchObject({ progress: 20, status: 'running', message: 'Uploaded' })
  })

  test('what is sent again is not shown again: the bar never goes back', async () => {
    const shares = watch()
    server.store.answers = undefined
    const one = upload(server.herald, fileOf('1234567890'))
    await breathe()
    server.store.requests[0]!.progress(9)
    server.store.requests[0]!.end(0)
    await passSteps(3000)
    expect(one.getSnapshot().sent).toBe(9)
    server.store.requests[1]!.progress(2)
    expect(one.getSnapshot().sent).toBe(9)
    void server.put(server.store.requests[1]!)
    await breathe()
    expect(await one.done).toBe('u0')
    expect(isRising(shares)).toBe(true)
    expect(shares.at(-1)).toBe(20)
  })

  test('progress is shown ten times a second at most', async () => {
    server.store.answers = undefined
    upload(server.herald, fileOf('1234567890'))
    await breathe()
    const before = server.herald.calls.length
    for (let n = 1; n < 10; n++) server.store.requests[0]!.progress(n)
    expect(server.herald.calls.length - before).toBeLessThanOrEqual(1)
  })

  test('the status is the same object until it changes, and a listener that has left hears nothing', async () => {
    const one = upload(server.herald, fileOf('12345'))
    expect(one.getSnapshot()).toBe(one.getSnapshot())
    let calls = 0
    one.subscribe(() => { calls++ })()
    await breathe()
    expect(calls).toBe(0)
  })
})

test('a request that ends is no longer listened to', async () => {
  const one = upload(server.herald, fileOf('12345'))
  await breathe()
  await one.done
  server.store.requests[0]!.progress(1)
  expect(one.getSnapshot().sent).toBe(5)
  expect(server.store.running()).toEqual([])
})
