// @vitest-environment happy-dom
import { act, StrictMode, type ReactNode } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FakeSocket, settle } from '../../test/world.ts'
import { beginStore, type FakeStore } from '../../test/xhr.ts'
import { HeraldProvider, useJob, useUpload, type UploadHook } from './index.ts'

const url = 'wss://example.com/prod'
const token = (): string => 't1'
let root: Root | undefined
let store: FakeStore
let hook: UploadHook

function Field(): ReactNode {
  hook = useUpload()
  const job = useJob(hook.job ?? '')
  return <p>{`${hook.state ?? 'none'} ${hook.sent ?? 0} ${job?.progress ?? ''} ${job?.message ?? ''}`}</p>
}

const App = (): ReactNode => <StrictMode><HeraldProvider url={url} token={token}><Field /></HeraldProvider></StrictMode>

async function run(what?: () => unknown): Promise<void> {
  await act(async () => {
    what?.()
    for (let i = 0; i < 5; i++) {
      await settle()
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })
}

const text = (): string | null => document.querySelector('p')!.textContent
const openSockets = (): number => FakeSocket.all.filter((socket) => socket.open).length

beforeEach(async () => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
  vi.stubGlobal('WebSocket', FakeSocket)
  store = beginStore()
  FakeSocket.all = []
  FakeSocket.server = {
    sends(socket, { action, request }) {
      const data = {
        sync: { jobs: 0, notes: 0 },
        upload: { request, uploadId: 'u1', size: 5, method: 'PUT', url: 'https://store/u1', headers: {} },
        upload_resume: { request, uploadId: 'u1', size: 5, method: 'PUT', url: 'https://store/u1', headers: {} },
        upload_complete: { request, uploadId: 'u1', complete: true },
        upload_abort: { request, uploadId: 'u1', aborted: true },
      }[action as string]
      if (data) queueMicrotask(() => socket.post({ type: action === 'sync' ? 'synced' : 'upload_url', timestamp: '', data }))
    },
  }
  document.body.innerHTML = '<div></div>'
  root = createRoot(document.body.firstElementChild!)
  await run(() => root!.render(<App />))
})

afterEach(async () => {
  await act(async () => root?.unmount())
  localStorage.clear()
  vi.unstubAllGlobals()
})

test('a component shows a file from the first byte, and its import under the same job', async () => {
  expect(text()).toBe('none 0  ')
  await run(() => hook.upload(new File(['12345'], 'f')))
  expect(text()).toBe('sending 0 0 Uploading')
  await new Promise((resolve) => setTimeout(resolve, 150))
  await run(() => store.requests[0]!.progress(2))
  expect(text()).toBe('sending 2 8 Uploading')
  await run(() => store.requests[0]!.end(200))
  expect(text()).toBe('done 5 20 Uploaded')
  await run(() => FakeSocket.all.at(-1)!.post({
    type: 'upload_progress', timestamp: '', job: 'u1', epoch: 'e', seq: 1, data: { uploadId: 'u1', fileName: 'f', progress: 50, message: 'Importing' },
  }))
  expect(text()).toBe('done 5 50 Importing')
  expect(openSockets()).toBe(1)
})

test('an upload is paused, resumed and cancelled', async () => {
  await run(() => hook.upload(new File(['12345'], 'f')))
  await run(() => hook.pause())
  expect(text()).toBe('paused 0 0 Paused')
  await run(() => hook.resume())
  expect(text()).toBe('sending 0 0 Uploading')
  await run(() => hook.cancel())
  expect(text()).toBe('cancelled 0 0 Cancelled')
  expect(store.running()).toEqual([])
})

test('an upload goes on when its component is gone, and then the connection closes', async () => {
  await run(() => hook.upload(new File(['12345'], 'f')))
  await run(() => root!.render(null))
  expect(openSockets()).toBe(1)
  await run(() => store.requests[0]!.end(200))
  await run()
  expect(openSockets()).toBe(0)
})

test('on a server there is nothing to upload', () => {
  expect(renderToString(<App />)).toContain('none 0')
})
