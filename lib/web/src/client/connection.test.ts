import { describe, expect, test, vi } from 'vitest'
import { actions, begin, frame, last, minute, open, openSockets, page, sent, state, url, welcome } from '../../test/client.ts'
import { tokenOf } from '../../test/tabs.ts'
import { FakeSocket, pass, settle, startTime } from '../../test/world.ts'

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

  test('a URL that is none is a refusal, and no exception', async () => {
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
    expect(sent.at(-1)).toEqual({ action: 'sync', batch: true })
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
      if (socket !== first && wasOpen === undefined) {
        wasOpen = first.open
        first.post(frame('a', 7)) // it was under way when the other connection opened
      }
      queueMicrotask(() => socket.post({ type: 'synced', data: { jobs: 0, notes: 0 } }))
    }
    await pass(7165_000 - 60_000)
    expect(FakeSocket.all).toHaveLength(2)
    expect(wasOpen).toBe(true)
    expect(herald.job('a')?.seq).toBe(7)
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
