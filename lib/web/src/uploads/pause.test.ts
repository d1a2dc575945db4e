import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { breathe, fileOf, large, openPage, outcome, passSteps, UploadServer } from '../../test/uploads.ts'

let server: UploadServer
let upload: typeof import('./index.ts')['upload']
let resumable: typeof import('./index.ts')['resumable']

beforeEach(async () => {
  server = new UploadServer()
  ;({ upload, resumable } = await openPage())
})
afterEach(() => server.end())

describe('pause, resume, cancel', () => {
  test('a pause stops what is under way, and resume sends what is missing', async () => {
    server.store.answers = undefined
    const one = upload(server.herald, fileOf(large))
    const result = outcome(one)
    await breathe()
    void server.put(server.store.requests[0]!)
    void server.put(server.store.requests[1]!)
    await breathe()
    one.pause()
    expect(one.state).toBe('paused')
    expect(server.store.running()).toEqual([])
    expect(server.herald.job('u0')).toMatchObject({ message: 'Paused', status: 'running' })
    await passSteps(3_600_000, 60_000)
    expect(server.store.requests.length).toBe(6)
    expect(result()).toBe('waiting')
    server.store.answers = (request) => void server.put(request)
    one.resume()
    await breathe()
    expect(await one.done).toBe('u0')
    expect(result()).toBe('u0')
    expect(server.store.requests.length).toBe(6 + 16)
    expect(server.uploads[0]!.content).toBe(large)
  })

  test('pauses and resumes in any order leave one upload', async () => {
    const one = upload(server.herald, fileOf(large))
    for (let i = 0; i < 20; i++) {
      one.pause()
      one.pause()
      if (i % 3) await breathe()
      one.resume()
      one.resume()
    }
    await passSteps(5000)
    expect(await one.done).toBe('u0')
    expect(server.uploads.filter(({ outcome }) => outcome !== 'aborted').length).toBe(1)
    expect(server.uploads[0]!.content).toBe(large)
  })

  test('paused uploads leave their places to others', async () => {
    server.store.answers = undefined
    const paused = Array.from({ length: 5 }, (_, i) => upload(server.herald, fileOf('12345', `f${i}`)))
    await breathe()
    for (const one of paused) one.pause()
    server.maxOpen = 9
    server.store.answers = (request) => void server.put(request)
    const one = upload(server.herald, fileOf('1', 'g'))
    await breathe()
    expect(await one.done).toBe('u5')
    for (const other of paused) other.resume()
    await breathe()
    expect(await Promise.all(paused.map(({ done }) => done))).toHaveLength(5)
  })

  test('cancel stops what is under way, and the server gives the upload up', async () => {
    server.store.answers = undefined
    const one = upload(server.herald, fileOf(large))
    const result = outcome(one)
    await breathe()
    const cancelled = one.cancel()
    expect(server.store.running()).toEqual([])
    await cancelled
    await breathe()
    expect(result()).toBe('AbortError')
    expect(one.state).toBe('cancelled')
    expect(server.uploads[0]!.outcome).toBe('aborted')
    expect(server.herald.job('u0')).toMatchObject({ status: 'cancelled', terminal: true })
    one.resume()
    await breathe()
    expect(one.state).toBe('cancelled')
    expect(server.store.requests.length).toBe(4)
    expect(await resumable(server.herald)).toEqual([])
  })

  // The answer to the opening comes only when it is let go.
  function holdOpening(): () => void {
    let letGo!: () => void
    const held = new Promise<void>((resolve) => { letGo = resolve })
    const { answer } = server.herald
    server.herald.answer = async (action, fields) => {
      const frame = await answer(action, fields)
      if (action === 'upload') await held
      return frame
    }
    return letGo
  }

  test('a cancel while the upload is being opened gives it up, too, and leaves nothing to resume', async () => {
    const letGo = holdOpening()
    const one = upload(server.herald, fileOf(large))
    await breathe()
    void one.cancel()
    await breathe()
    letGo()
    await breathe()
    expect(one.state).toBe('cancelled')
    expect(server.uploads.map(({ outcome }) => outcome)).toEqual(['aborted'])
    expect(server.store.requests).toEqual([])
    expect(await resumable(server.herald)).toEqual([])
    expect(server.origin.held.size).toBe(0)
  })

  test('a pause while the upload is being opened leaves one upload, whose lock is free at the end', async () => {
    const letGo = holdOpening()
    const one = upload(server.herald, fileOf(large))
    await breathe()
    one.pause()
    one.resume()
    await breathe()
    letGo()
    await passSteps(2000)
    expect(await one.done).toBe('u0')
    expect(server.uploads).toHaveLength(1)
    expect(server.origin.held.size).toBe(0)
  })

  test('a cancel whose answer is lost is repeated', async () => {
    server.store.answers = undefined
    server.refusals.upload_abort = ['CONNECTION_LOST', 'TIMEOUT']
    const one = upload(server.herald, fileOf(large))
    await breathe()
    await one.cancel()
    expect(server.uploads[0]!.outcome).toBe('aborted')
  })

  test('a signal cancels, before the start, too, with its reason', async () => {
    const early = upload(server.herald, fileOf('1'), { signal: AbortSignal.abort('why') })
    const controller = new AbortController()
    server.store.answers = undefined
    const late = upload(server.herald, fileOf(large), { signal: controller.signal })
    const results = [outcome(early), outcome(late)]
    await breathe()
    controller.abort('because')
    await breathe()
    expect(results.map((result) => result())).toEqual(['why', 'because'])
    expect(server.uploads.map(({ outcome }) => outcome)).toEqual(['aborted'])
  })

  test('an upload that waits for a place can be cancelled, and its place goes to the next', async () => {
    server.store.answers = undefined
    const all = Array.from({ length: 7 }, (_, i) => upload(server.herald, fileOf('12345', `f${i}`)))
    await breathe()
    void all[5]!.cancel()
    server.store.answers = (request) => void server.put(request)
    for (const request of server.store.running()) void server.put(request)
    await breathe()
    expect(all.map(({ state }) => state)).toEqual(['done', 'done', 'done', 'done', 'done', 'cancelled', 'done'])
    expect(server.uploads.length).toBe(6)
  })

  test('after its end nothing can be changed', async () => {
    const one = upload(server.herald, fileOf('12345'))
    await breathe()
    one.pause()
    await one.cancel()
    one.resume()
    expect(one.state).toBe('done')
    expect(server.uploads[0]!.outcome).toBe('complete')
  })
})
