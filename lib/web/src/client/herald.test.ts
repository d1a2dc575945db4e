import { describe, expect, test, vi } from 'vitest'
import { actions, begin, epoch, frame, last, minute, open, sent, state } from '../../test/client.ts'
import { FakeSocket, pass, settle, startTime } from '../../test/world.ts'
import type { Herald, Job } from './api.ts'

describe('what is shown', () => {
  test('a snapshot is the same object until it changes, and so is each job', async () => {
    begin()
    const herald = open()
    await settle()
    last().post(frame('a', 1))
    last().post(frame('b', 1))
    const before = herald.jobs.getSnapshot()
    expect(herald.jobs.getSnapshot()).toBe(before)
    last().post({ type: 'notification', id: '01A', data: { title: 't', message: 'm', severity: 'info' } })
    last().post(frame('b', 1))
    expect(herald.jobs.getSnapshot()).toBe(before)
    const note = herald.notes.getSnapshot()
    last().post(frame('b', 2))
    expect(herald.notes.getSnapshot()).toBe(note)
    const after = herald.jobs.getSnapshot()
    const a = (jobs: readonly Job[]): Job => jobs.find(({ id }) => id === 'a')!
    expect(after).not.toBe(before)
    expect(a(after)).toBe(a(before))
    expect(herald.job('a')).toBe(a(after))
  })

  test('a job has one name, that of its file or its title, and all that its state says', async () => {
    begin()
    const herald = open()
    await settle()
    last().post(frame('a', 1, { fileName: 'a.csv' }))
    expect(herald.job('a')).toMatchObject({ type: 'upload_progress', title: 'a.csv', fileName: 'a.csv' })
    const data = { jobId: 'b', title: 'Report', progress: 5, message: 'm', attempt: 2, of: 3, expectEvery: 60, endAfter: 600, steps: [{ name: 'Fetch', status: 'succeeded' }] }
    last().post({ ...frame('b', 1), type: 'job_progress', data })
    expect(herald.job('b')).toMatchObject({ ...data, type: 'job_progress', id: 'b', title: 'Report', fileName: 'Report' })
    last().post({ ...frame('b', 2), type: 'job_progress', data: { jobId: 'b', title: 'Report', progress: 5, message: 'm' } })
    expect(herald.job('b')!.steps).toBeUndefined()
    last().post({ ...frame('b', 3), type: 'job_progress', data: { jobId: 'b', title: 7, progress: 5, message: 'm' } })
    last().post({ ...frame('b', 3), type: 'job_progress', data: null })
    expect(herald.job('b')!.seq).toBe(2)
    herald.show({ uploadId: 'c', fileName: 'c.csv', progress: 1, message: '' })
    expect(herald.job('c')).toMatchObject({ type: 'upload_progress', title: 'c.csv' })
  })

  test('running jobs come first, then those that started last', async () => {
    begin()
    const herald = open()
    await settle()
    last().post(frame('old', 1, {}, '2026-11-22T09:00:00.000Z#0000'))
    last().post(frame('new', 1, {}, '2026-11-22T11:00:00.000Z#0000'))
    last().post(frame('done', 1, { status: 'succeeded' }, '2026-11-22T12:00:00.000Z#0000'))
    last().post(frame('old', 2, {}, '2026-11-22T09:00:00.000Z#0000'))
    expect(herald.jobs.getSnapshot().map(({ id }) => id)).toEqual(['new', 'old', 'done'])
  })

  test('listeners are called once for the frames of a sync', async () => {
    begin({ sends: () => {} })
    const herald = open()
    const called = vi.fn()
    herald.jobs.subscribe(called)
    await settle()
    for (let n = 0; n < 200; n++) {
      last().post({ ...frame(`j${n}`, 1), replayed: true })
      await Promise.resolve()
    }
    last().post({ type: 'synced', data: { jobs: 200, notes: 0 } })
    await settle()
    expect(called).toHaveBeenCalledTimes(1)
    last().post(frame('a', 1))
    last().post(frame('a', 2))
    await settle()
    expect(called).toHaveBeenCalledTimes(2)
  })

  test('a listener that has left is not called, and one that subscribes twice is called twice', async () => {
    begin()
    const herald = open()
    await settle()
    const listener = vi.fn()
    const end = herald.jobs.subscribe(listener)
    herald.jobs.subscribe(listener)
    last().post(frame('a', 1))
    await settle()
    expect(listener).toHaveBeenCalledTimes(2)
    end()
    last().post(frame('a', 2))
    await settle()
    expect(listener).toHaveBeenCalledTimes(3)
  })

  test('a job passes on what this version does not know, and the meta of the application', async () => {
    begin()
    const herald = open()
    await settle()
    last().post(frame('a', 1, { meta: { order: 7 }, steps: [1] }))
    expect(herald.job('a')).toMatchObject({ meta: { order: 7 }, steps: [1], status: 'running', terminal: false, updatedAt: startTime })
  })

  test('subscribing again does not show the old state for a moment', async () => {
    begin()
    const token = async (): Promise<string> => 't1'
    const first = open({ token })
    await settle()
    last().post(frame('a', 1))
    first.close()
    await pass(10)
    const second = open({ token })
    expect(second.jobs.getSnapshot()).toEqual([])
    expect(state(second)).toBe('connecting')
  })

  test('a large payload comes: a frame of 128 KB is shown', async () => {
    begin()
    const herald = open()
    await settle()
    last().post(frame('a', 1, { message: 'x'.repeat(130_000) }))
    expect(herald.job('a')!.message).toHaveLength(130_000)
  })

  test('on gets each frame once, at once, and no more after its end', async () => {
    begin()
    const herald = open()
    const got: number[] = []
    const end = herald.on('upload_progress', (f) => got.push(f.seq!))
    await settle()
    last().post(frame('a', 1))
    last().post(frame('a', 1))
    last().post(frame('a', 2))
    expect(got).toEqual([1, 2])
    end()
    last().post(frame('a', 3))
    expect(got).toEqual([1, 2])
  })

  test('an exception of a listener is reported, and stops nothing else', async () => {
    begin()
    const reported = vi.fn()
    process.on('unhandledRejection', reported)
    const herald = open()
    const other = vi.fn()
    herald.jobs.subscribe(() => { throw new Error('of the application') })
    herald.jobs.subscribe(other)
    herald.on('upload_progress', () => { throw new Error('of the application') })
    herald.on('upload_progress', other)
    await settle()
    last().post(frame('a', 1, { status: 'succeeded' }))
    await expect(herald.until('a')).resolves.toMatchObject({ id: 'a' })
    expect(other).toHaveBeenCalledTimes(2)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', reported)
    expect(reported).toHaveBeenCalledTimes(2)
  })

  test('a local state gives way to any state of the server, which keeps its progress, and does not come back', async () => {
    begin()
    const herald = open()
    await settle()
    herald.show({ uploadId: 'a', fileName: 'f', progress: 90, message: '', phase: 'upload' })
    expect(herald.job('a')).toMatchObject({ progress: 90, local: true, epoch: '' })
    herald.show({ uploadId: 'a', fileName: 'f', progress: 20, message: '', phase: 'upload' })
    expect(herald.job('a')!.progress).toBe(20)
    last().post(frame('a', 1, { message: 'Reading' }))
    expect(herald.job('a')).toMatchObject({ progress: 20, message: 'Reading', seq: 1 })
    expect(herald.job('a')!.local).toBeUndefined()
    herald.show({ uploadId: 'a', fileName: 'f', progress: 95, message: '', phase: 'upload' })
    expect(herald.job('a')).toMatchObject({ progress: 20, message: 'Reading' })
    last().post(frame('a', 2, { message: 'Importing', progress: 7 }))
    expect(herald.job('a')).toMatchObject({ progress: 20, message: 'Importing', seq: 2 })
    last().post(frame('a', 3, { message: 'Importing', progress: 21 }))
    expect(herald.job('a')!.progress).toBe(21)
    last().post({ ...frame('a', 1, { progress: 3 }), epoch: '2027-01-01T00:00:00.000Z#0000' })
    expect(herald.job('a')!.progress).toBe(3) // another run begins again
  })
})

describe('until', () => {
  async function until(herald: Herald, id: string): Promise<() => unknown> {
    let result: unknown = 'waiting'
    void herald.until(id).then(({ epoch: run, seq }) => { result = `${run}/${seq}` }, (error) => { result = error.code ?? error.name })
    await settle()
    return () => result
  }

  test('the promise says "complete" never before the job is', async () => {
    begin()
    const herald = open()
    await settle()
    const result = await until(herald, 'a')
    last().post(frame('a', 1, { progress: 100 }))
    last().post(frame('a', 2, { status: 'queued' }))
    await settle()
    expect(result()).toBe('waiting')
    last().post(frame('a', 3, { status: 'succeeded' }))
    await settle()
    expect(result()).toBe(`${epoch}/3`)
  })

  test('a job that waits, is retried or has stalled has not ended, of whatever type it is', async () => {
    begin()
    const herald = open()
    await settle()
    const result = await until(herald, 'a')
    for (const [i, status] of ['queued', 'waiting', 'retrying', 'stalled', 'pondering'].entries()) {
      last().post({ ...frame('a', i + 1), type: 'job_progress', data: { jobId: 'a', title: 'Report', progress: 99, message: 'm', status } })
      await settle()
      expect(herald.job('a')).toMatchObject({ status, terminal: false })
      expect(result()).toBe('waiting')
    }
    last().post({ ...frame('a', 6), type: 'job_progress', data: { jobId: 'a', title: 'Report', progress: 100, message: 'm', status: 'succeeded' } })
    await settle()
    expect(result()).toBe(`${epoch}/6`)
  })

  test('"failed" of an older run is no end while a newer one is running', async () => {
    begin()
    const herald = open()
    await settle()
    last().post(frame('a', 1, {}, '2026-11-22T10:00:00.000Z#0001'))
    const result = await until(herald, 'a')
    last().post(frame('a', 9, { status: 'failed' }, epoch))
    await settle()
    expect(result()).toBe('waiting')
    last().post(frame('a', 2, { status: 'succeeded' }, '2026-11-22T10:00:00.000Z#0001'))
    await settle()
    expect(result()).toBe('2026-11-22T10:00:00.000Z#0001/2')
  })

  test('a job that has ended resolves at once; its redrive needs another call', async () => {
    begin()
    const herald = open()
    await settle()
    last().post(frame('a', 1, { status: 'failed' }))
    expect((await until(herald, 'a'))()).toBe(`${epoch}/1`)
    last().post(frame('a', 1, {}, '2026-11-22T10:00:00.000Z#0001'))
    expect((await until(herald, 'a'))()).toBe('waiting')
  })

  test('it rejects when it is aborted; a client that is closed sees no end', async () => {
    begin()
    const herald = open()
    const aborted = new AbortController()
    const one = herald.until('a', { signal: aborted.signal })
    const other = await until(herald, 'a')
    aborted.abort()
    await expect(one).rejects.toThrow('aborted')
    await expect(herald.until('a', { signal: aborted.signal })).rejects.toThrow('aborted')
    herald.close()
    await pass(10)
    expect(other()).toBe('waiting')
  })

  test('a call that nobody waits for is no unhandled rejection when the client closes', async () => {
    begin({ sends: () => {} })
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const herald = open()
    await settle()
    void herald.dismiss('01A')
    void herald.request('upload')
    void herald.sync()
    void herald.until('a')
    herald.close()
    await pass(10)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })

  test('it does not go on asking after the job has ended', async () => {
    begin()
    const herald = open()
    await pass(10_000)
    last().post(frame('a', 1))
    await pass(31_000)
    expect(actions().at(-1)).toBe('sync')
    last().post(frame('a', 2, { status: 'succeeded' }))
    void herald.until('a')
    sent.length = 0
    await pass(9 * minute)
    expect(sent).toEqual([])
  })

  test('an upload that only this browser knows is nothing to ask the server for', async () => {
    begin()
    const herald = open()
    await pass(10_000)
    herald.show({ uploadId: 'a', fileName: 'f', progress: 1, message: '' })
    sent.length = 0
    await pass(9 * minute)
    expect(sent).toEqual([])
  })
})

describe('on a server', () => {
  test('connect does nothing, touches nothing global, and opens no socket', async () => {
    begin()
    vi.stubGlobal('document', undefined)
    vi.stubGlobal('window', undefined)
    const token = vi.fn(() => 't1')
    const herald = open({ token })
    await pass(1000)
    expect(herald.jobs.getSnapshot()).toEqual([])
    expect(state(herald)).toBe('connecting')
    expect(FakeSocket.all).toEqual([])
    expect(token).not.toHaveBeenCalled()
    await expect(herald.sync()).rejects.toMatchObject({ code: 'CLOSED' })
    herald.show({ uploadId: 'a', fileName: 'f', progress: 1, message: '' })
    herald.close()
  })

  test('importing touches no global', async () => {
    begin()
    vi.resetModules()
    for (const name of ['window', 'document', 'navigator', 'WebSocket', 'BroadcastChannel', 'localStorage', 'location']) {
      vi.stubGlobal(name, new Proxy(() => {}, { get: () => { throw new Error(`${name} was touched`) }, construct: () => { throw new Error(`${name} was touched`) } }))
    }
    await import('./index.ts')
    await import('../react/index.ts')
    vi.unstubAllGlobals()
  })
})
