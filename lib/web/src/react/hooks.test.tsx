// @vitest-environment happy-dom
import { act, StrictMode, Suspense, useEffect, useState, type ReactNode } from 'react'
import { createRoot, hydrateRoot, type Root } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FakeSocket, settle } from '../../test/world.ts'
import { HeraldProvider, useHerald, useJob, type HeraldHook } from './index.ts'

const url = 'wss://example.com/prod'
const token = (): string => 't1'
let root: Root | undefined
let element: HTMLElement

async function render(node: ReactNode): Promise<void> {
  root ??= createRoot(element)
  await act(async () => {
    root!.render(node)
    await wait()
  })
  await wait()
}

async function wait(ms = 5): Promise<void> {
  await settle()
  await new Promise((resolve) => setTimeout(resolve, ms))
  await settle()
}

function state(job: string, seq: number, progress: number, more: object = {}): object {
  return { type: 'upload_progress', timestamp: '2026-11-22T10:00:00.000Z', job, epoch: 'e', seq, data: { uploadId: job, fileName: 'f', progress, message: 'm', ...more } }
}

async function post(...frames: object[]): Promise<void> {
  await act(async () => {
    for (const frame of frames) FakeSocket.all.at(-1)!.post(frame)
    await wait()
  })
}

const openSockets = (): number => FakeSocket.all.filter((socket) => socket.open).length

beforeEach(() => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
  FakeSocket.all = []
  FakeSocket.server = {
    sends: (socket, message) => {
      if (message.action === 'sync') queueMicrotask(() => socket.post({ type: 'synced', data: { jobs: 0, notes: 0 } }))
    },
  }
  vi.stubGlobal('WebSocket', FakeSocket)
  element = document.createElement('div')
  document.body.append(element)
})

afterEach(async () => {
  await act(async () => root?.unmount())
  root = undefined
  await wait()
  element.remove()
  vi.unstubAllGlobals()
})

function Bar({ id }: { id: string }): ReactNode {
  const job = useJob(id)
  return <progress max={100} value={job?.progress} />
}

test('the progress of one job is three lines', async () => {
  await render(<HeraldProvider url={url} token={token}><Bar id="a" /></HeraldProvider>)
  await post(state('a', 1, 42))
  expect(element.querySelector('progress')!.value).toBe(42)
})

test('StrictMode mounts twice with one socket, which no handshake is torn down for', async () => {
  await render(<StrictMode><HeraldProvider url={url} token={token}><Bar id="a" /><Bar id="b" /></HeraldProvider></StrictMode>)
  expect(FakeSocket.all).toHaveLength(1)
  expect(openSockets()).toBe(1)
  await render(<StrictMode />)
  expect(openSockets()).toBe(0)
})

test('a stream is not dead after a remount', async () => {
  await render(<HeraldProvider url={url} token={token}><Bar id="a" key="1" /></HeraldProvider>)
  await render(<HeraldProvider url={url} token={token}><Bar id="a" key="2" /></HeraldProvider>)
  await post(state('a', 1, 10))
  expect(element.querySelector('progress')!.value).toBe(10)
  expect(FakeSocket.all).toHaveLength(1)
})

test('a render that makes a new token function does not reconnect, and the newest function is called', async () => {
  let tokens: string[] = []
  function App({ n }: { n: number }): ReactNode {
    const { status } = useHerald({ url, token: () => `t${n}` })
    return status.state
  }
  for (let n = 1; n <= 5; n++) await render(<App n={n} />)
  expect(FakeSocket.all).toHaveLength(1)
  await act(async () => {
    FakeSocket.all[0]!.lose()
    await wait(600)
  })
  tokens = FakeSocket.all.map((socket) => socket.token)
  expect(tokens).toEqual(['t1', 't5'])
})

test('another URL or token text connects anew', async () => {
  function App(props: { url: string; token: string }): ReactNode {
    return useHerald(props).status.state
  }
  await render(<App url={url} token="t1" />)
  await render(<App url={url} token="t2" />)
  await render(<App url={`${url}2`} token="t2" />)
  expect(FakeSocket.all.map((socket) => [socket.url, socket.token])).toEqual([[url, 't1'], [url, 't2'], [`${url}2`, 't2']])
  expect(openSockets()).toBe(1)
})

test('useHerald returns jobs, notes and status, and the methods of the client, which stay the same', async () => {
  const seen: HeraldHook[] = []
  function App(): ReactNode {
    const herald = useHerald({ url, token })
    seen.push(herald)
    return <>{herald.status.state} {herald.jobs.map(({ id }) => id).join()} {herald.notes.map(({ title }) => title).join()}</>
  }
  await render(<App />)
  await post(state('a', 1, 10), { type: 'notification', id: '01A', data: { title: 'hello', message: 'm', severity: 'info' } })
  expect(element.textContent).toBe('live a hello')
  await act(async () => {
    void seen.at(-1)!.dismiss('01A')
    await wait()
  })
  expect(element.textContent).toBe('live a ')
  expect(seen.at(-1)!.job('a')!.progress).toBe(10)
  expect(seen.at(-1)!.dismiss).toBe(seen[0]!.dismiss)
})

test('a component with useJob renders only when its job changes', async () => {
  let renders = 0
  function One(): ReactNode {
    renders++
    return useJob('a')?.progress
  }
  await render(<HeraldProvider url={url} token={token}><One /></HeraldProvider>)
  await post(state('a', 1, 10))
  const before = renders
  await post(state('b', 1, 10), { type: 'notification', id: '01A', data: { title: 't', message: 'm', severity: 'info' } })
  expect(renders).toBe(before)
  await post(state('a', 2, 20))
  expect(element.textContent).toBe('20')
})

test('an effect of the component can call the client', async () => {
  const ended = vi.fn()
  function App(): ReactNode {
    const { until } = useHerald({ url, token })
    useEffect(() => { void until('a').then((job) => ended(job.status)) }, [until])
    return null
  }
  await render(<App />)
  await post(state('a', 1, 50))
  expect(ended).not.toHaveBeenCalled()
  await post(state('a', 2, 100, { status: 'succeeded' }))
  expect(ended).toHaveBeenCalledWith('succeeded')
})

test('a tree that suspends before it is shown opens nothing that stays', async () => {
  const never = new Promise<void>(() => {})
  function Suspends(): ReactNode {
    useHerald({ url, token: () => 't1' })
    throw never
  }
  await render(<Suspense fallback="wait"><Suspends /></Suspense>)
  expect(element.textContent).toBe('wait')
  expect(FakeSocket.all).toHaveLength(0)
})

test('on a server it renders what a browser renders first, and hydrates without a complaint', async () => {
  const complaints = vi.spyOn(console, 'error')
  const app = <HeraldProvider url={url} token={token}><Bar id="a" /><Status /></HeraldProvider>
  function Status(): ReactNode {
    const { status, jobs, notes } = useHerald()
    return <p>{status.state} {jobs.length} {notes.length}</p>
  }
  element.innerHTML = renderToString(app)
  expect(element.textContent).toBe('connecting 0 0')
  expect(FakeSocket.all).toHaveLength(0)
  await act(async () => {
    root = hydrateRoot(element, app)
    await wait()
  })
  expect(element.textContent).toBe('live 0 0')
  expect(complaints).not.toHaveBeenCalled()
})

test('without options and without a provider it says what is missing', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  expect(() => renderToString(<Bar id="a" />)).toThrow('HeraldProvider')
})

test('a job that is chosen by state is followed', async () => {
  let choose!: (id: string) => void
  function App(): ReactNode {
    const [id, setID] = useState('a')
    choose = setID
    return useJob(id, { url, token })?.progress ?? 'none'
  }
  await render(<App />)
  await post(state('a', 1, 10), state('b', 1, 20))
  expect(element.textContent).toBe('10')
  await act(async () => choose('b'))
  expect(element.textContent).toBe('20')
})
