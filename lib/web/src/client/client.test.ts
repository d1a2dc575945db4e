import { afterEach, describe, expect, test, vi } from 'vitest'
import { tokenOf } from '../../test/tabs.ts'
import { beginTest, endTest, type FakePage, FakeSocket, pass, settle, startTime } from '../../test/world.ts'
import type { Frame, Herald, Job, Options } from './api.ts'

// With HERALD_DIST the built file is tested.
const { connect } = (await import(process.env.HERALD_DIST ? '../../dist/herald.js' : './connect.ts')) as typeof import('./connect.ts')

const url = 'wss://example.com/prod'
const epoch = '2026-11-22T10:00:00.000Z#0000'
const minute = 60_000

let page: FakePage
let heralds: Herald[] = []
let sent: any[] = []

function begin(more: { sends?: (socket: FakeSocket, message: any) => void; refuse?: () => boolean } = {}): void {
  sent = []
  page = beginTest({
    connects: (socket) => { socket.refused = !!more.refuse?.() },
    sends: more.sends ?? ((socket, message) => {
      sent.push(message)
      if (message.action === 'sync') queueMicrotask(() => socket.post({ type: 'synced', data: { jobs: 0, notes: 0 } }))
      if (message.action === 'ping') queueMicrotask(() => socket.post({ type: 'pong', data: {} }))
    }),
  })
}

function open(options: Partial<Options> = {}): Herald {
  const herald = connect({ url, token: async () => 't1', ...options })
  heralds.push(herald)
  return herald
}

const last = (): FakeSocket => FakeSocket.all.at(-1)!
const openSockets = (): FakeSocket[] => FakeSocket.all.filter((socket) => socket.open)
const state = (herald: Herald): string => herald.status.getSnapshot().state
const actions = (): string[] => sent.map(({ action }) => action)

function frame(job: string, seq: number, more: object = {}, run = epoch): Frame {
  return { type: 'upload_progress', timestamp: '2026-11-22T10:00:00.000Z', job, epoch: run, seq, data: { uploadId: job, fileName: 'f', progress: seq, message: 'm', ...more } }
}

function welcome(seconds: number): Frame {
  const now = new Date().toISOString()
  return { type: 'welcome', timestamp: now, data: { connectionId: 'c', serverTime: now, sessionEnd: new Date(Date.now() + seconds * 1000).toISOString() } }
}

afterEach(async () => {
  for (const herald of heralds) herald.close()
  heralds = []
  await pass(1)
  endTest()
})

describe('the connection', () => {
  test('the token is the second subprotocol, and never in the URL', async () => {
    begin()
    open()
    await settle()
    expect(last().protocols).toEqual(['herald', 't1'])
    expect(last().url).toBe(url)
  })

  test('calls with the same URL and token share one', async () => {
    begin()
    const token = async (): Promise<string> => 't1'
    const [a, b] = [open({ token }), open({ token })]
    open({ token: 'text' })
    open({ token: 'text' })
    open({ token: 'other' })
    await settle()
    expect(FakeSocket.all).toHaveLength(3)
    expect(a.jobs).toBe(b.jobs)
    a.close()
    a.close()
    await pass(10)
    expect(openSockets()).toHaveLength(3)
    b.close()
    await pass(10)
    expect(openSockets()).toHaveLength(2)
  })

  test('StrictMode mounts twice: it closes one macrotask after its last use, so that there is one socket', async () => {
    begin()
    const token = async (): Promise<string> => 't1'
    open({ token }).close()
    await settle()
    open({ token })
    await pass(10)
    expect(FakeSocket.all).toHaveLength(1)
    expect(last().open).toBe(true)
  })

  test('the token is asked for anew for each connection', async () => {
    begin()
    let n = 0
    const token = vi.fn(() => `t${++n}`)
    open({ token })
    await settle()
    last().lose()
    await pass(1000)
    expect(FakeSocket.all.map((socket) => socket.token)).toEqual(['t1', 't2'])
    expect(token.mock.calls).toEqual([[{ refused: false }], [{ refused: false }]])
  })

  test('the token that was refused is not sent until locked out: after two handshakes it is asked for another one', async () => {
    begin({ refuse: () => true })
    const token = vi.fn(() => 't1')
    const herald = open({ token })
    await pass(5000)
    expect(token.mock.calls.map(([ask]: any) => ask.refused)).toEqual([false, false, true])
    expect(FakeSocket.all).toHaveLength(2)
    expect(herald.status.getSnapshot()).toMatchObject({ state: 'refused', code: 'REFUSED' })
    await pass(60 * minute)
    expect(FakeSocket.all).toHaveLength(2)
    expect(token.mock.calls.length).toBeLessThan(60)
    expect(token.mock.calls.length).toBeGreaterThan(30)
  })

  test('another token ends the refusal', async () => {
    let good = ''
    begin({ refuse: () => last().token !== good })
    let token = 't1'
    const herald = open({ token: () => token })
    await pass(60_000)
    expect(state(herald)).toBe('refused')
    token = good = 't2'
    await pass(5 * minute)
    expect(state(herald)).toBe('live')
  })

  test('a token that is new each time is tried with pauses that grow', async () => {
    begin({ refuse: () => true })
    let n = 0
    open({ token: () => `t${++n}` })
    await pass(10 * minute)
    const times = FakeSocket.all.length
    expect(times).toBeGreaterThan(50)
    expect(times).toBeLessThan(70)
  })

  test('a text that was refused stays refused, until refresh brings another one', async () => {
    begin({ refuse: () => last().token === 't1' })
    const herald = open({ token: 't1' })
    await pass(60 * minute)
    expect(FakeSocket.all).toHaveLength(2)
    expect(herald.status.getSnapshot().retryAt).toBeUndefined()
    const done = vi.fn()
    void herald.refresh('t2').then(done)
    await settle()
    last().post(welcome(3600))
    await settle()
    expect(state(herald)).toBe('live')
    expect(done).toHaveBeenCalled()
  })

  test('a server that cannot be reached refuses no token', async () => {
    let down = true
    begin({ refuse: () => down })
    vi.stubGlobal('fetch', async () => {
      if (down) throw new TypeError('failed')
    })
    const herald = open({ token: 't1' })
    await pass(10 * minute)
    expect(state(herald)).toBe('offline')
    expect(herald.status.getSnapshot().retryAt).toBeGreaterThan(Date.now())
    down = false
    await pass(20_000)
    expect(state(herald)).toBe('live')
  })

  test('without a network no token is refused', async () => {
    begin({ refuse: () => true })
    page.navigator.onLine = false
    const herald = open({ token: 't1' })
    await pass(10 * minute)
    expect(state(herald)).toBe('offline')
  })

  test('a token that was good and has not run out is given up after ten refusals, not two', async () => {
    let refuse = false
    begin({ refuse: () => refuse })
    const herald = open({ token: tokenOf('u1', { exp: startTime / 1000 + 7200 }), tabs: false })
    await pass(1000)
    refuse = true
    last().lose()
    await pass(60 * minute)
    expect(FakeSocket.all).toHaveLength(11)
    expect(state(herald)).toBe('refused')
  })

  test('a token function that never answers is asked again', async () => {
    begin()
    const token = vi.fn<() => Promise<string>>(() => new Promise(() => {}))
    const herald = open({ token })
    await pass(31_000)
    expect(token).toHaveBeenCalledTimes(2)
    token.mockResolvedValue('t1')
    await pass(30_000)
    expect(state(herald)).toBe('live')
  })

  test('a URL that is none is told as a refusal, without an exception', async () => {
    begin()
    vi.stubGlobal('WebSocket', class { constructor() { throw new SyntaxError('no URL') } })
    const herald = open()
    await settle()
    expect(state(herald)).toBe('refused')
  })

  test('another user\'s token begins anew: nothing of the user before stays', async () => {
    begin()
    let user = 'u1'
    const herald = open({ token: () => tokenOf(user), tabs: false })
    await settle()
    last().post(frame('a', 1))
    expect(herald.jobs.getSnapshot()).toHaveLength(1)
    user = 'u2'
    last().lose()
    await pass(2000)
    expect(herald.jobs.getSnapshot()).toEqual([])
    expect(state(herald)).toBe('live')
    expect(sent.at(-1)).toEqual({ action: 'sync' })
  })

  test('CONNECTION_LIMIT closes it for good', async () => {
    begin()
    const herald = open()
    await settle()
    last().post({ type: 'closing', data: { code: 'CONNECTION_LIMIT', reason: 'too many', reconnect: false } })
    await pass(60 * minute)
    page.window.dispatchEvent(new Event('online'))
    await pass(60 * minute)
    expect(herald.status.getSnapshot()).toMatchObject({ state: 'closed', code: 'CONNECTION_LIMIT', reason: 'too many' })
    expect(FakeSocket.all).toHaveLength(1)
  })
})

describe('waking up', () => {
  const hide = (hidden: boolean): void => {
    page.document.hidden = hidden
    page.window.dispatchEvent(new Event('visibilitychange')) // it bubbles
  }

  test.each(['online', 'pageshow'])('%s: a ping, then a sync', async (type) => {
    begin()
    open()
    await pass(10_000)
    sent.length = 0
    page.window.dispatchEvent(new Event(type))
    await settle()
    expect(actions()).toEqual(['ping', 'sync'])
  })

  test('visibilitychange: only when the page is shown, and not more often than each 5 s', async () => {
    begin()
    open()
    await pass(10_000)
    sent.length = 0
    hide(true)
    expect(actions()).toEqual([])
    hide(false)
    await settle()
    hide(true)
    hide(false)
    await settle()
    expect(actions()).toEqual(['ping', 'sync'])
  })

  test('a computer that slept for 15 minutes finds its connection dead, and reconnects', async () => {
    begin({ sends: (_, message) => sent.push(message) })
    const herald = open()
    await settle()
    last().post({ type: 'synced', data: { jobs: 0, notes: 0 } })
    await pass(6000)
    vi.setSystemTime(Date.now() + 15 * minute)
    hide(false)
    await pass(30_000)
    expect(FakeSocket.all.length).toBeGreaterThan(1)
    expect(state(herald)).toBe('syncing')
  })

  test('a hidden tab\'s slow timers are no lost connection', async () => {
    begin({ sends: (_, message) => sent.push(message) })
    open()
    await settle()
    last().post({ type: 'synced', data: { jobs: 0, notes: 0 } })
    await pass(5000)
    last().post({ type: 'synced', data: { jobs: 0, notes: 0 } })
    await pass(9.5 * minute)
    expect(actions().at(-1)).toBe('ping')
    vi.setSystemTime(Date.now() + minute) // the timer of the pong is a minute late
    await pass(10_000)
    last().post({ type: 'pong', data: {} }) // as it was in the queue behind the timer
    await pass(minute)
    expect(FakeSocket.all).toHaveLength(1)
  })

  test('a pause between attempts ends when the network is back', async () => {
    let down = true
    begin({ refuse: () => down })
    vi.stubGlobal('fetch', async () => { throw new TypeError('failed') })
    const herald = open()
    await pass(10 * minute)
    down = false
    const before = FakeSocket.all.length
    await pass(1001)
    page.window.dispatchEvent(new Event('online'))
    page.window.dispatchEvent(new Event('online'))
    await settle()
    expect(FakeSocket.all.length).toBe(before + 1)
    expect(state(herald)).toBe('live')
  })
})

describe("API Gateway's limits", () => {
  test('10 minutes: it pings when nothing has come for 9.5', async () => {
    begin()
    open()
    await pass(60 * minute)
    expect(FakeSocket.all).toHaveLength(1)
    expect(actions().filter((action) => action === 'ping').length).toBe(6)
  })

  test('2 hours: another connection opens and syncs before the first closes', async () => {
    begin()
    const herald = open()
    await settle()
    const first = last()
    first.post(welcome(7170))
    const states = new Set<string>()
    herald.status.subscribe(() => states.add(state(herald)))
    await pass(5_000)
    states.clear()
    let wasOpen: boolean | undefined
    FakeSocket.server.sends = (socket, message) => {
      if (message.action === 'ping') queueMicrotask(() => socket.post({ type: 'pong', data: {} }))
      if (message.action !== 'sync') return
      if (socket !== first) wasOpen ??= first.open
      queueMicrotask(() => socket.post({ type: 'synced', data: { jobs: 0, notes: 0 } }))
    }
    await pass(7165_000 - 60_000)
    expect(FakeSocket.all).toHaveLength(2)
    expect(wasOpen).toBe(true)
    expect(first.open).toBe(false)
    expect(last().open).toBe(true)
    expect(states).toEqual(new Set())
    expect(state(herald)).toBe('live')
  })

  test('2 hours: a second connection that fails costs nothing: the first one goes on, and it is tried again', async () => {
    let refuse = false
    begin({ refuse: () => refuse })
    const herald = open()
    await settle()
    const first = last()
    first.post(welcome(7170))
    await pass(10_000)
    refuse = true
    await pass(7170_000 - 60_000)
    expect(FakeSocket.all.length).toBeGreaterThan(1)
    expect(first.open).toBe(true)
    expect(state(herald)).toBe('live')
    refuse = false
    await pass(40_000)
    expect(first.open).toBe(false)
    expect(last().open).toBe(true)
  })

  test('before the token ends it sends another one on the same connection', async () => {
    begin()
    let token = 't1'
    open({ token: () => token })
    await settle()
    last().post(welcome(600))
    token = 't2'
    await pass(545_000)
    expect(sent.at(-1)).toEqual({ action: 'refresh', token: 't2' })
    expect(FakeSocket.all).toHaveLength(1)
  })
})

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

  test('a local state gives way to any state of the server, and does not come back', async () => {
    begin()
    const herald = open()
    await settle()
    herald.show({ uploadId: 'a', fileName: 'f', progress: 90, message: '', phase: 'upload' })
    expect(herald.job('a')).toMatchObject({ progress: 90, local: true, epoch: '' })
    herald.show({ uploadId: 'a', fileName: 'f', progress: 80, message: '', phase: 'upload' })
    expect(herald.job('a')!.progress).toBe(80)
    last().post(frame('a', 1))
    expect(herald.job('a')).toMatchObject({ progress: 1 })
    expect(herald.job('a')!.local).toBeUndefined()
    herald.show({ uploadId: 'a', fileName: 'f', progress: 95, message: '', phase: 'upload' })
    expect(herald.job('a')!.progress).toBe(1)
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

describe('requests', () => {
  test('a request resolves with the frame that echoes its id', async () => {
    begin()
    const herald = open()
    await settle()
    const [one, two] = [herald.request('upload', { fileName: 'a' }), herald.request('upload', { fileName: 'b' })]
    const [first, second] = sent.slice(-2)
    expect(first).toMatchObject({ action: 'upload', fileName: 'a' })
    expect(first.request).not.toBe(second.request)
    expect(first.request.length).toBeLessThanOrEqual(64)
    last().post({ type: 'upload_url', data: { request: second.request, n: 2 } })
    last().post({ type: 'upload_url', data: { request: first.request, n: 1 } })
    expect(((await one).data as any).n).toBe(1)
    expect(((await two).data as any).n).toBe(2)
  })

  test('it rejects with the error that the server answers', async () => {
    begin()
    const herald = open()
    await settle()
    const answer = herald.request('upload')
    last().post({ type: 'error', data: { code: 'UPLOADS_DISABLED', message: 'off', details: 1, request: sent.at(-1).request } })
    await expect(answer).rejects.toMatchObject({ code: 'UPLOADS_DISABLED', message: 'off', details: 1 })
  })

  test('it waits for a connection, is lost with it, and does not wait forever', async () => {
    begin()
    const herald = open()
    const early = herald.request('upload')
    await settle()
    expect(actions()).toContain('upload')
    const late = herald.request('upload')
    last().lose()
    await expect(early).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    await expect(late).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    await pass(1000)
    const unanswered = herald.request('upload')
    const failed = expect(unanswered).rejects.toMatchObject({ code: 'TIMEOUT' })
    await pass(31_000)
    await failed
    const closed = expect(herald.request('upload')).rejects.toMatchObject({ code: 'CLOSED' })
    herald.close()
    await pass(10)
    await closed
    await expect(herald.request('upload')).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('a dismissed note is gone at once; the dismissal is sent again after a lost connection', async () => {
    begin()
    const herald = open()
    await settle()
    last().post({ type: 'notification', id: '01A', data: { title: 't', message: 'm', severity: 'info' } })
    const done = vi.fn()
    void herald.dismiss('01A').then(done)
    expect(herald.notes.getSnapshot()).toEqual([])
    last().lose()
    await pass(1000)
    expect(sent.filter(({ action }) => action === 'dismiss')).toEqual([{ action: 'dismiss', id: '01A' }, { action: 'dismiss', id: '01A' }])
    expect(done).not.toHaveBeenCalled()
    last().post({ type: 'dismissed', data: { id: '01A' } })
    await settle()
    expect(done).toHaveBeenCalled()
  })

  test('a note that no other tab has is dismissed without an answer', async () => {
    begin()
    const herald = open()
    const done = vi.fn()
    void herald.dismiss('01A').then(done)
    await pass(31_000)
    expect(done).toHaveBeenCalled()
  })

  test('refresh sends a token, and says whether the server has taken it', async () => {
    begin()
    const herald = open()
    await settle()
    last().post(welcome(600))
    const good = herald.refresh('t2')
    await settle()
    expect(sent.at(-1)).toEqual({ action: 'refresh', token: 't2' })
    last().post({ type: 'refreshed', timestamp: new Date().toISOString(), data: { sessionEnd: '2026-11-22T12:00:00.000Z' } })
    await good
    const bad = herald.refresh()
    await settle()
    last().post({ type: 'error', data: { code: 'UNAUTHORIZED', message: 'Invalid token' } })
    await expect(bad).rejects.toMatchObject({ code: 'UNAUTHORIZED', message: 'Invalid token' })
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
