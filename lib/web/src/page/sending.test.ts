import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type FakeHerald, fakeHerald, setStore } from '../../test/fake.ts'
import type { UploadState, UploadStatus } from '../uploads/index.ts'
import { newUploader } from './sending.ts'
import { newSessions } from './sessions.ts'
import type { Uploader } from './uploader.ts'

const uploads = vi.hoisted(() => ({ started: [] as { file: File; status: ReturnType<typeof Object>; calls: string[] }[], interrupted: [] as object[], forgotten: [] as string[] }))
vi.mock('../uploads/index.ts', () => ({
  resumable: async () => uploads.interrupted,
  upload(_: unknown, file: File) {
    const status = setStore<UploadStatus>({ state: 'waiting', job: '', fileName: file.name, sent: 0, size: file.size })
    const calls: string[] = []
    uploads.started.push({ file, status, calls })
    return {
      get state() { return status.getSnapshot().state }, get job() { return status.getSnapshot().job },
      getSnapshot: status.getSnapshot, subscribe: status.subscribe, done: new Promise(() => {}),
      pause: () => calls.push('pause'), resume: () => calls.push('resume'),
      async cancel() {
        calls.push('cancel')
        status.set({ ...status.getSnapshot(), state: 'cancelled' })
      },
    }
  },
}))
vi.mock('../uploads/saved.ts', () => ({ save: (_: string, job: string) => uploads.forgotten.push(job) }))

let herald: FakeHerald
let uploader: Uploader

const file = (name: string, time = 1) => new File(['0123456789'], name, { lastModified: time })
const states = () => uploader.uploads.getSnapshot().map(({ fileName, state }) => `${fileName} ${state}`)
const set = (i: number, state: UploadState, more: object = {}) => {
  const { status } = uploads.started[i]!
  status.set({ ...status.getSnapshot(), state, ...more })
}
const key = (i = 0) => uploader.uploads.getSnapshot()[i]!.key
const settle = () => new Promise((resolve) => setTimeout(resolve))
const stopped = { job: 'old', fileName: 'zoo.csv', size: 10, lastModified: 1, sent: 4, at: 0 }

beforeEach(() => {
  uploads.started.length = uploads.interrupted.length = uploads.forgotten.length = 0
  herald = fakeHerald()
  uploader = newUploader(herald)
})

afterEach(() => uploader.close())

test('files are sent in the order in which they came, and shown with the newest first', () => {
  uploader.add(['a', 'b'].map((name) => file(name)))
  uploader.add([file('c')])
  expect(uploads.started.map(({ file }) => file.name)).toEqual(['a', 'b', 'c'])
  expect(states()).toEqual(['c waiting', 'b waiting', 'a waiting'])
  set(0, 'sending', { sent: 5, job: 'j' })
  expect(uploader.uploads.getSnapshot()[2]).toMatchObject({ state: 'sending', sent: 5, size: 10, job: 'j' })
})

test('a sent file leaves when the server shows its job', () => {
  uploader.add([file('a')])
  set(0, 'done', { job: 'j', sent: 10 })
  herald.show({ uploadId: 'j', fileName: 'a', progress: 20, message: '', phase: 'upload' })
  expect(states()).toEqual(['a sent'])
  herald.setJob({ id: 'j', local: false })
  expect(states()).toEqual([])
})

test('an upload can be paused, continued and cancelled', () => {
  uploader.add([file('a')])
  const first = key()
  uploader.pause(first)
  uploader.resume(first)
  uploader.cancel(first)
  expect(uploads.started[0]!.calls).toEqual(['pause', 'resume', 'cancel'])
  expect(states()).toEqual([])
})

test('a failed upload says what to do', () => {
  uploader.add([file('a')])
  set(0, 'failed', { error: Object.assign(new Error('off'), { code: 'UPLOADS_DISABLED' }) })
  expect(uploader.uploads.getSnapshot()[0]!.error).toBe('This server takes no uploads from browsers.')
})

test('an upload that a reload has interrupted goes on with the same file, and only with it', async () => {
  uploads.interrupted.push(stopped)
  uploader = newUploader(herald)
  await settle()
  expect(uploader.uploads.getSnapshot()).toMatchObject([{ fileName: 'zoo.csv', state: 'stopped', sent: 4, job: 'old' }])
  const first = key()
  uploader.resume(first, file('zoo.csv', 2))
  expect(uploader.uploads.getSnapshot()[0]!.error).toContain('another file')
  expect(uploads.started.length).toBe(0)
  uploader.resume(first, file('zoo.csv'))
  expect(states()).toEqual(['zoo.csv waiting'])
  expect(key()).toBe(first)
})

test('dropping an interrupted file again continues it as well, in one entry', async () => {
  uploads.interrupted.push(stopped)
  uploader = newUploader(herald)
  await settle()
  uploader.add([file('zoo.csv')])
  set(0, 'sending', { job: 'old' })
  expect(states()).toEqual(['zoo.csv sending'])
})

test('an interrupted upload that is cancelled is forgotten, here and by the server', async () => {
  uploads.interrupted.push(stopped)
  uploader = newUploader(herald)
  await settle()
  uploader.cancel(key())
  expect(states()).toEqual([])
  expect(uploads.forgotten).toEqual(['old'])
  expect(herald.calls.map(({ what }) => what)).toEqual(['show', 'upload_abort'])
})

test('a user who is not shown any more stays connected while files are sent', () => {
  const closed: string[] = []
  const [dev, ada] = [{ name: 'dev', tokenUrl: '' }, { name: 'ada', tokenUrl: '' }]
  const sessions = newSessions('', (_, { name }) => ({
    herald: { ...herald, close: () => void closed.push(name) },
    uploader: { ...uploader, close() {}, uploads: setStore(name === 'dev' ? [{ key: 'k', fileName: 'a', size: 1, sent: 0, state: 'sending' as const }] : []) },
  }))
  const before = sessions.open(dev)
  sessions.open(ada)
  sessions.closeAllBut([])
  expect(closed).toEqual(['ada'])
  expect(sessions.open(dev)).toBe(before)
  sessions.close(dev)
  expect(closed).toEqual(['ada', 'dev'])
})
