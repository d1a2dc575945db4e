import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type FakeHerald, fakeHerald } from '../../test/fake.ts'
import { HeraldError } from '../client/index.ts'
import type { SendOptions } from './send.ts'
import { newUploader } from './sending.ts'
import type { Uploader } from './uploader.ts'

interface Sent extends SendOptions {
  name: string
  resolve(): void
  reject(error: Error): void
}

let herald: FakeHerald
let uploader: Uploader
let sent: Sent[]

const states = () => uploader.uploads.getSnapshot().map(({ fileName, state }) => `${fileName} ${state}`)
const file = (name: string) => new File(['0123456789'], name)
const settle = () => vi.advanceTimersByTimeAsync(0)

beforeEach(() => {
  vi.useFakeTimers()
  herald = fakeHerald()
  sent = []
  uploader = newUploader(herald, (_, { name }, options) => new Promise((resolve, reject) => {
    sent.push({ name, ...options, resolve, reject })
    options.signal.addEventListener('abort', () => reject(options.signal.reason))
  }))
})

afterEach(() => {
  uploader.close()
  vi.useRealTimers()
})

test('three files are sent at once, in the order in which they came, and the others wait', async () => {
  uploader.add(['a', 'b', 'c', 'd', 'e'].map(file))
  expect(sent.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
  expect(states()).toEqual(['e waiting', 'd waiting', 'c sending', 'b sending', 'a sending'])
  sent[1]!.resolve()
  await settle()
  expect(sent.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd'])
})

test('without a connection files wait, and go on when it is back', async () => {
  herald.status.set({ state: 'offline' })
  uploader.add([file('a')])
  expect(states()).toEqual(['a waiting'])
  herald.status.set({ state: 'live' })
  expect(states()).toEqual(['a sending'])
  sent[0]!.onProgress(5, 'j')
  herald.status.set({ state: 'offline' })
  sent[0]!.reject(new HeraldError('CONNECTION_LOST', 'lost'))
  await settle()
  expect(states()).toEqual(['a waiting'])
  herald.status.set({ state: 'live' })
  expect(sent.at(-1)).toMatchObject({ name: 'a', job: 'j' })
})

test('a sent file leaves when the server shows its job', async () => {
  uploader.add([file('a')])
  sent[0]!.onProgress(10, 'j')
  sent[0]!.resolve()
  await settle()
  expect(states()).toEqual(['a sent'])
  herald.show({ uploadId: 'j', fileName: 'a', progress: 100, message: '', phase: 'upload' })
  expect(states()).toEqual(['a sent'])
  herald.setJob({ id: 'j', local: false })
  expect(states()).toEqual([])
})

test('pause stops the sending, resume continues the same upload, and late progress is ignored', async () => {
  uploader.add([file('a')])
  const { key } = uploader.uploads.getSnapshot()[0]!
  sent[0]!.onProgress(5, 'j')
  uploader.pause(key)
  await settle()
  expect(states()).toEqual(['a paused'])
  sent[0]!.onProgress(9, 'j')
  expect(uploader.uploads.getSnapshot()[0]!.sent).toBe(5)
  uploader.resume(key)
  expect(sent[1]).toMatchObject({ name: 'a', job: 'j' })
  expect(states()).toEqual(['a sending'])
})

test('cancel tells the server and the other tabs, and forgets the file', async () => {
  uploader.add([file('a'), file('b')])
  const keys = uploader.uploads.getSnapshot().map(({ key }) => key)
  sent.find(({ name }) => name === 'a')!.onProgress(5, 'j')
  for (const key of keys) uploader.cancel(key)
  await settle()
  expect(states()).toEqual([])
  expect(sent.every(({ signal }) => signal.aborted)).toBe(true)
  expect(herald.calls.map(({ what }) => what)).toEqual(['upload_abort', 'show'])
  expect(herald.job('j')).toMatchObject({ status: 'cancelled', terminal: true })
})

test('a failed upload says why, and can be tried again', async () => {
  uploader.add([file('a')])
  sent[0]!.reject(new HeraldError('UPLOADS_DISABLED', 'off'))
  await settle()
  expect(uploader.uploads.getSnapshot()[0]).toMatchObject({ state: 'failed', error: 'This server takes no uploads from browsers.' })
  uploader.resume(uploader.uploads.getSnapshot()[0]!.key)
  expect(uploader.uploads.getSnapshot()[0]).toMatchObject({ state: 'sending', error: undefined })
})

test('when too many uploads are open, the file waits and tries again', async () => {
  uploader.add([file('a')])
  sent[0]!.reject(new HeraldError('UPLOAD_LIMIT', 'five'))
  await settle()
  expect(states()).toEqual(['a waiting'])
  await vi.advanceTimersByTimeAsync(4000)
  expect(sent.length).toBe(1)
  await vi.advanceTimersByTimeAsync(1500)
  expect(sent.length).toBe(2)
})

test('an upload that the server has given up begins anew', async () => {
  uploader.add([file('a')])
  sent[0]!.onProgress(5, 'old')
  sent[0]!.reject(new HeraldError('UPLOAD_NOT_FOUND', 'gone'))
  await settle()
  uploader.resume(uploader.uploads.getSnapshot()[0]!.key)
  expect(sent[1]).toMatchObject({ job: undefined })
})

test('close stops what is being sent', () => {
  uploader.add([file('a')])
  uploader.close()
  expect(sent[0]!.signal.aborted).toBe(true)
})
