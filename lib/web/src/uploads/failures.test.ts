import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { breathe, fileOf, large, openPage, outcome, passSteps, UploadServer } from '../../test/uploads.ts'

let server: UploadServer
let upload: typeof import('./index.ts')['upload']

beforeEach(async () => {
  server = new UploadServer()
  ;({ upload } = await openPage())
})
afterEach(() => server.end())

describe('failures', () => {
  test('each part is tried again after a pause', async () => {
    server.statuses = [500, 200, 503, 0, 200]
    const one = upload(server.herald, fileOf(large))
    await breathe()
    expect(one.state).toBe('sending')
    await passSteps(5000)
    expect(await one.done).toBe('u0')
    expect(server.uploads[0]!.content).toBe(large)
    expect(server.store.requests.length).toBe(21)
    expect(server.messages).toEqual(['upload', 'upload_resume', 'upload_complete'])
  })

  test('URLs that have expired are replaced, and what is stored stays', async () => {
    server.store.answers = undefined
    const one = upload(server.herald, fileOf('12345'))
    await breathe()
    server.expire()
    server.store.answers = (request) => void server.put(request)
    void server.put(server.store.requests[0]!)
    await passSteps(3000)
    expect(await one.done).toBe('u0')
    expect(server.messages).toEqual(['upload', 'upload_resume', 'upload_complete'])
  })

  test('parts whose URLs have expired are sent by others', async () => {
    server.statuses = [200, 200, 403, 403, 403, 403, 200]
    const one = upload(server.herald, fileOf(large))
    await breathe()
    await passSteps(5000)
    expect(await one.done).toBe('u0')
    expect(server.uploads[0]!.content).toBe(large)
  })

  test('a whole file that was stored by a request without an answer is complete', async () => {
    server.store.answers = undefined
    const one = upload(server.herald, fileOf('12345'))
    await breathe()
    server.uploads[0]!.content = '12345' // it arrived
    server.store.answers = (request) => void server.put(request)
    server.store.requests[0]!.end(0) // but not its response
    await passSteps(3000)
    expect(await one.done).toBe('u0')
    expect(server.store.requests.length).toBe(2)
  })

  test('a lost network is waited for, however long, and the upload goes on when it is back', async () => {
    server.store.answers = undefined
    const one = upload(server.herald, fileOf(large))
    await breathe()
    server.page.navigator.onLine = false
    server.herald.status.set({ state: 'offline' })
    server.store.answers = (request) => request.end(0)
    for (const request of server.store.running()) request.end(0)
    await passSteps(600_000, 5000)
    expect(one.state).toBe('sending')
    const sent = server.store.requests.length
    server.store.answers = (request) => void server.put(request)
    server.page.navigator.onLine = true
    server.page.window.dispatchEvent(new Event('online'))
    server.herald.status.set({ state: 'live' })
    await breathe()
    await passSteps(1000)
    expect(await one.done).toBe('u0')
    expect(sent).toBeLessThan(10)
    expect(server.uploads[0]!.content).toBe(large)
  })

  test('a request that hangs is given up after a minute without progress', async () => {
    server.store.answers = undefined
    const one = upload(server.herald, fileOf('12345'))
    await breathe()
    server.store.requests[0]!.progress(2)
    await passSteps(50_000, 5000)
    server.store.requests[0]!.progress(3)
    await passSteps(55_000, 5000)
    expect(server.store.requests[0]!.state).toBe('running')
    server.store.answers = (request) => void server.put(request)
    await passSteps(10_000)
    expect(await one.done).toBe('u0')
    expect(server.store.requests[0]!.state).toBe('aborted')
  })

  test('a store that refuses everything fails the upload with its answer, and a file in parts, too', async () => {
    for (const content of ['12345', large]) {
      server.store.answers = (request) => request.end(400)
      const one = upload(server.herald, fileOf(content, content))
      const result = outcome(one)
      await passSteps(300_000, 5000)
      expect(result()).toBe('STORE')
      expect(one.getSnapshot()).toMatchObject({ state: 'failed', error: { message: 'The store of files answered 400' } })
      expect(server.herald.job(one.job)).toMatchObject({ status: 'failed', message: 'The store of files answered 400', terminal: true })
      server.store.answers = (request) => void server.put(request)
      one.resume()
      await breathe()
      expect(await one.done).toBe(one.job)
      expect(server.uploads.find(({ id }) => id === one.job)!.content).toBe(content)
    }
  })

  test('a network that fails although there is a connection fails the upload', async () => {
    server.store.answers = (request) => request.end(0)
    const one = upload(server.herald, fileOf('12345'))
    const result = outcome(one)
    await passSteps(300_000, 5000)
    expect(result()).toBe('NETWORK')
  })

  test('a file that was changed meanwhile fails the upload at once', async () => {
    const file = fileOf('12345')
    Object.assign(file, { slice: () => ({ arrayBuffer: async () => { throw new DOMException('', 'NotReadableError') } }) })
    server.store.answers = (request) => request.end(0)
    const one = upload(server.herald, file)
    const result = outcome(one)
    await breathe()
    expect(result()).toBe('FILE_CHANGED')
  })

  test.each(['UPLOADS_DISABLED', 'INVALID_MESSAGE', 'UNKNOWN_ACTION', 'CLOSED'])('%s fails the upload at once', async (code) => {
    server.refusals.upload = [code]
    const one = upload(server.herald, fileOf('12345'))
    const result = outcome(one)
    await breathe()
    expect(result()).toBe(code)
    expect(server.store.requests).toEqual([])
  })

  test.each(['TIMEOUT', 'INTERNAL_ERROR', 'LOST'])('an opening with %s is repeated, and opens one upload', async (code) => {
    server.refusals.upload = [code === 'TIMEOUT' ? 'LOST' : code, code]
    const one = upload(server.herald, fileOf('12345'))
    await passSteps(5000)
    expect(await one.done).toBe('u0')
    expect(server.uploads.length).toBe(1)
  })

  test('a completion whose answer is lost is asked for again', async () => {
    server.refusals.upload_complete = ['LOST', 'UPLOAD_INCOMPLETE']
    const one = upload(server.herald, fileOf(large))
    await passSteps(5000)
    expect(await one.done).toBe('u0')
    expect(server.store.requests.length).toBe(18)
  })

  test('a part that the store has lost is sent again', async () => {
    server.refusals.upload_complete = ['UPLOAD_INCOMPLETE']
    const one = upload(server.herald, fileOf(large))
    await breathe()
    server.uploads[0]!.parts.delete(3)
    await passSteps(5000)
    expect(await one.done).toBe('u0')
    expect(server.uploads[0]!.content).toBe(large)
    expect(server.store.requests.length).toBe(19)
  })

  test('where others of the user are open, it waits and tries again', async () => {
    server.maxOpen = 0
    const one = upload(server.herald, fileOf('12345'))
    await passSteps(120_000, 5000)
    expect(one.state).toBe('waiting')
    expect(server.messages.length).toBeLessThanOrEqual(4)
    server.maxOpen = 5
    await passSteps(60_000, 5000)
    expect(await one.done).toBe('u0')
  })

  test('it waits for the next minute when the user\'s posts are spent', async () => {
    server.refusals.upload = ['RATE_LIMITED']
    const one = upload(server.herald, fileOf('12345'))
    await passSteps(55_000, 5000)
    expect(server.messages).toEqual(['upload'])
    await passSteps(70_000, 5000)
    expect(await one.done).toBe('u0')
  })

  test('what one user uploads is not uploaded as another user, who has signed in meanwhile', async () => {
    server.store.answers = (request) => request.end(0)
    const all = Array.from({ length: 6 }, (_, i) => upload(server.herald, fileOf('12345', `f${i}`)))
    const results = all.map(outcome)
    await breathe()
    server.herald.user = () => 'u2'
    server.store.answers = (request) => void server.put(request)
    await passSteps(60_000, 5000)
    expect(results.map((result) => result())).toEqual(Array(6).fill('CLOSED'))
    expect(server.uploads).toHaveLength(5)
  })
})
