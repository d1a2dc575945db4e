import { afterEach, expect, test, vi } from 'vitest'
import { beginTabs, openTab, type Tab, tokenOf } from '../../test/tabs.ts'
import { endTest, FakeSocket, pass, settle } from '../../test/world.ts'
import type { Herald, Job, Note, Options } from '../client/api.ts'

const url = 'wss://example.com/prod'
const epoch = '2026-11-22T10:00:00.000Z#0000'

// A server that keeps the newest state of each job, and all notes, as Herald's does.
class Server {
  states = new Map<string, any>()
  notes: any[] = []
  sent: { token: string; message: any }[] = []
  refuses = (_: string): boolean => false
  open = (): FakeSocket[] => FakeSocket.all.filter((socket) => socket.open)

  connects = (socket: FakeSocket): void => {
    socket.refused = this.refuses(socket.token)
  }

  sends = (socket: FakeSocket, message: any): void => {
    this.sent.push({ token: socket.token, message })
    const answer = (frame: unknown): void => queueMicrotask(() => socket.post(frame))
    if (message.action === 'ping') answer({ type: 'pong', data: {} })
    if (message.action === 'dismiss') for (const open of this.open()) queueMicrotask(() => open.post({ type: 'dismissed', data: { id: message.id } }))
    if (message.action === 'upload') answer({ type: 'upload_url', data: { request: message.request, url: 'https://example.com' } })
    if (message.action === 'bad') answer({ type: 'error', data: { request: message.request, code: 'BAD', message: 'no', details: [1] } })
    if (message.action !== 'sync') return
    const jobs = [...this.states.values()].filter((frame) => !message.have?.[frame.job] || message.have[frame.job][1] < frame.seq)
    const notes = this.notes.filter((note) => !message.since || note.id > message.since)
    for (const frame of [...jobs, ...notes]) answer({ ...frame, replayed: true })
    answer({ type: 'synced', data: { jobs: jobs.length, notes: notes.length } })
  }

  state(job: string, seq: number, progress: number, more: object = {}, push = true): void {
    const frame = { type: 'upload_progress', timestamp: '2026-11-22T10:00:00.000Z', job, epoch, seq, data: { uploadId: job, fileName: 'f', progress, message: 'm', ...more } }
    this.states.set(job, frame)
    if (push) for (const socket of this.open()) socket.post(frame)
  }

  note(id: string, push = true): void {
    const frame = { type: 'notification', id, timestamp: '2026-11-22T10:00:00.000Z', data: { title: id, message: 'm', severity: 'info' } }
    this.notes.push(frame)
    if (push) for (const socket of this.open()) socket.post(frame)
  }
}

let server: Server
const open: { tab: Tab; herald: Herald }[] = []

function begin(): void {
  server = new Server()
  beginTabs(server)
}

async function tabOf(user: string, options: Partial<Options> = {}): Promise<{ tab: Tab; herald: Herald; shown: string[] }> {
  const tab = await openTab(user)
  const herald = tab.connect({ url, token: async () => tokenOf(user), ...options })
  const shown: string[] = []
  herald.on('notification', (frame) => shown.push(frame.id!))
  open.push({ tab, herald })
  await pass(10)
  return { tab, herald, shown }
}

const jobs = ({ herald }: { herald: Herald }): [string, number][] => herald.jobs.getSnapshot().map(({ id, progress }: Job) => [id, progress])
const notes = ({ herald }: { herald: Herald }): string[] => herald.notes.getSnapshot().map(({ id }: Note) => id)
const state = ({ herald }: { herald: Herald }): string => herald.status.getSnapshot().state

afterEach(async () => {
  for (const { tab, herald } of open.splice(0)) {
    tab.frozen = false
    tab.run(() => herald.close())
  }
  await pass(10)
  endTest()
})

test('one socket for each tab: tabs of a user share one', async () => {
  begin()
  server.state('a', 1, 10)
  server.note('01A')
  const tabs = [await tabOf('u1'), await tabOf('u1'), await tabOf('u1')]
  expect(FakeSocket.all).toHaveLength(1)
  server.state('a', 2, 20)
  server.note('01B')
  await settle()
  for (const tab of tabs) {
    expect(jobs(tab)).toEqual([['a', 20]])
    expect(notes(tab)).toEqual(['01B', '01A'])
    expect(tab.shown).toEqual(['01A', '01B'])
    expect(state(tab)).toBe('live')
  }
  expect(server.open()).toHaveLength(1)
})

test('two users are apart', async () => {
  begin()
  const [a, b] = [await tabOf('u1'), await tabOf('u2')]
  expect(FakeSocket.all).toHaveLength(2)
  FakeSocket.all[0]!.post({ type: 'notification', id: '01A', data: { title: 't', message: 'm', severity: 'info' } })
  await settle()
  expect(notes(a)).toEqual(['01A'])
  expect(notes(b)).toEqual([])
})

test('a tab without locks, channels or a user that its token names has a socket of its own', async () => {
  begin()
  await tabOf('u1')
  await tabOf('u1', { tabs: false })
  await tabOf('u1', { token: 'opaque' })
  vi.stubGlobal('BroadcastChannel', undefined)
  await tabOf('u1')
  expect(server.open()).toHaveLength(4)
})

test('when the leader dies another tab takes over within 2 s, with nothing lost and nothing twice', async () => {
  begin()
  server.state('a', 1, 10)
  server.note('01A')
  const [leader, second, third] = [await tabOf('u1'), await tabOf('u1'), await tabOf('u1')]
  await pass(6000)
  server.state('a', 2, 50, {}, false)
  server.note('01B', false)
  await leader.tab.kill()
  await pass(2000)
  expect(server.open()).toHaveLength(1)
  expect(second.tab.socket ?? third.tab.socket).toBeDefined()
  for (const tab of [second, third]) {
    expect(jobs(tab)).toEqual([['a', 50]])
    expect(tab.shown).toEqual(['01A', '01B'])
    expect(state(tab)).toBe('live')
  }
  expect(server.sent.at(-1)!.message).toMatchObject({ have: { a: [epoch, 1] }, since: '01A' })
  server.state('a', 3, 60)
  await settle()
  for (const tab of [second, third]) expect(jobs(tab)).toEqual([['a', 60]])
})

test('a tab that is frozen while it leads does not starve the others, and follows when it is back', async () => {
  begin()
  const [leader, second] = [await tabOf('u1'), await tabOf('u1')]
  await pass(6000)
  leader.tab.frozen = true
  await pass(500)
  server.state('a', 1, 10, {}, false)
  await pass(4500)
  expect(jobs(second)).toEqual([['a', 10]])
  await pass(15 * 60_000)
  server.note('01A')
  await leader.tab.thaw()
  await pass(3000)
  expect(server.open()).toHaveLength(1)
  expect(leader.tab.socket).toBeUndefined()
  for (const tab of [leader, second]) {
    expect(jobs(tab)).toEqual([['a', 10]])
    expect(tab.shown).toEqual(['01A'])
    expect(state(tab)).toBe('live')
  }
})

test('a leader that the browser is about to freeze leaves the connection to another tab', async () => {
  begin()
  const [leader, second] = [await tabOf('u1'), await tabOf('u1')]
  leader.tab.run(() => leader.tab.event('freeze'))
  await settle()
  leader.tab.frozen = true
  server.state('a', 1, 10)
  await pass(100)
  expect(leader.tab.socket).toBeUndefined()
  expect(second.tab.socket).toBeDefined()
  expect(jobs(second)).toEqual([['a', 10]])
  await leader.tab.thaw()
  leader.tab.run(() => leader.tab.event('pageshow'))
  await pass(2000)
  expect(jobs(leader)).toEqual([['a', 10]])
  expect(state(leader)).toBe('live')
  expect(server.open()).toHaveLength(1)
})

test('a tab with a socket of its own keeps it when it is frozen', async () => {
  begin()
  const { tab } = await tabOf('u1', { token: 'opaque' })
  tab.run(() => tab.event('freeze'))
  await pass(100)
  expect(FakeSocket.all).toHaveLength(1)
})

test('the status that a leader repeats is reported once', async () => {
  begin()
  await tabOf('u1')
  const second = await tabOf('u1')
  const listener = vi.fn()
  second.herald.status.subscribe(listener)
  await pass(10_000)
  expect(listener).not.toHaveBeenCalled()
})

test('locks that are not for this page: the tab connects all the same', async () => {
  begin()
  vi.stubGlobal('navigator', { onLine: true, locks: { request: async () => { throw new DOMException('not here', 'SecurityError') } } })
  expect(state(await tabOf('u1'))).toBe('live')
})

test('a follower that wakes up asks for what it has missed', async () => {
  begin()
  await tabOf('u1')
  const second = await tabOf('u1')
  await pass(10_000)
  server.sent.length = 0
  second.tab.run(() => second.tab.event('online'))
  await pass(100)
  expect(server.sent.map(({ message }) => message.action)).toEqual(['ping', 'sync'])
})

test('a follower sends by the leader, and gets the answer', async () => {
  begin()
  const [leader, second] = [await tabOf('u1'), await tabOf('u1')]
  server.note('01A')
  await settle()
  const answered = vi.fn()
  second.tab.run(() => {
    void second.herald.request('upload', { fileName: 'f' }).then((frame) => answered(frame.data))
    second.herald.request('bad').catch((error) => answered(error.code, error.details))
    void second.herald.dismiss('01A').then(() => answered('dismissed'))
    void second.herald.sync().then(() => answered('synced'))
  })
  expect(notes(second)).toEqual([])
  await settle()
  expect(answered).toHaveBeenCalledTimes(4)
  expect(answered).toHaveBeenCalledWith(expect.objectContaining({ url: 'https://example.com' }))
  expect(answered).toHaveBeenCalledWith('BAD', [1])
  expect(notes(leader)).toEqual([])
  expect(FakeSocket.all).toHaveLength(1)
})

test('what a follower has sent is lost with the leader, but a dismissal is sent again', async () => {
  begin()
  const [leader, second] = [await tabOf('u1'), await tabOf('u1')]
  const ended = vi.fn()
  FakeSocket.server.sends = () => {}
  second.tab.run(() => {
    second.herald.request('upload').catch((error) => ended(error.code))
    void second.herald.dismiss('01A').then(() => ended('dismissed'))
  })
  await settle()
  const dismissals: string[] = []
  FakeSocket.server.sends = (socket, message: any) => {
    if (message.action === 'dismiss') dismissals.push(message.id)
    server.sends(socket, message)
  }
  await leader.tab.kill()
  await pass(2000)
  expect(ended.mock.calls).toEqual([['CONNECTION_LOST'], ['dismissed']])
  expect(dismissals).toEqual(['01A'])
})

test('a local state of an upload is shown in all tabs, also in one that joins later', async () => {
  begin()
  const [leader, second] = [await tabOf('u1'), await tabOf('u1')]
  second.tab.run(() => second.herald.show({ uploadId: 'a', fileName: 'f', progress: 30, message: '', phase: 'upload' }))
  await settle()
  expect(jobs(leader)).toEqual([['a', 30]])
  const third = await tabOf('u1')
  expect(third.herald.job('a')).toMatchObject({ progress: 30, phase: 'upload', local: true })
  server.state('a', 1, 5)
  await settle()
  for (const tab of [leader, second, third]) {
    expect(jobs(tab)).toEqual([['a', 30]]) // which never falls
    expect(tab.herald.job('a')).toMatchObject({ seq: 1 })
    expect(tab.herald.job('a')!.local).toBeUndefined()
  }
})

test('a job that is no file is the same in a tab that joins later', async () => {
  begin()
  const first = await tabOf('ann')
  server.state('r-7', 1, 40, { attempt: 2, of: 3, status: 'retrying', steps: [{ name: 'Fetch' }] }, false)
  const frame = server.states.get('r-7')
  server.states.set('r-7', { ...frame, type: 'job_progress', data: { ...frame.data, uploadId: undefined, fileName: undefined, jobId: 'r-7', title: 'Report' } })
  for (const socket of server.open()) socket.post(server.states.get('r-7'))
  await settle()
  const second = await tabOf('ann')
  await pass(1000)
  expect(server.open()).toHaveLength(1)
  expect(second.herald.job('r-7')).toEqual(first.herald.job('r-7'))
  expect(second.herald.job('r-7')).toMatchObject({ type: 'job_progress', title: 'Report', status: 'retrying', attempt: 2, terminal: false })
})

test('a leader whose token is refused lets another tab lead', async () => {
  begin()
  server.refuses = (token) => token.includes(tokenOf('u1', { n: 'old' }).split('.')[1]!)
  const first = await tabOf('u1', { token: () => tokenOf('u1', { n: 'old' }) })
  await pass(5000)
  expect(state(first)).toBe('refused')
  const second = await tabOf('u1', { token: () => tokenOf('u1', { n: 'new' }) })
  await pass(60_000)
  expect(server.open()).toHaveLength(1)
  for (const tab of [first, second]) expect(state(tab)).toBe('live')
})

test('where the tokens of all tabs are refused, no tab goes on trying', async () => {
  begin()
  server.refuses = () => true
  const token = vi.fn(() => tokenOf('u1'))
  const tabs = [await tabOf('u1', { token }), await tabOf('u1', { token })]
  await pass(60_000)
  const { length } = FakeSocket.all
  expect(length).toBeLessThanOrEqual(4)
  token.mockClear()
  await pass(3_600_000)
  expect(FakeSocket.all.length).toBe(length)
  expect(token.mock.calls.length).toBeLessThan(600) // connections that were closed ask no more
  for (const tab of tabs) expect(state(tab)).toBe('refused')
})

test('a tab that closes as the leader is no end for the others', async () => {
  begin()
  const [leader, second] = [await tabOf('u1'), await tabOf('u1')]
  const states: string[] = []
  second.herald.status.subscribe(() => states.push(state(second)))
  leader.tab.run(() => leader.herald.close())
  await pass(1000)
  expect(state(second)).toBe('live')
  expect(states).not.toContain('closed')
  expect(server.open()).toHaveLength(1)
})

test('a tab waits for a first token', async () => {
  begin()
  let token = ''
  const { herald } = await tabOf('u1', { token: async () => token })
  await pass(10_000)
  expect(FakeSocket.all).toHaveLength(0)
  token = tokenOf('u1')
  await pass(3000)
  expect(herald.status.getSnapshot().state).toBe('live')
})

test('a token function that never answers the first time is asked again, and an answer that comes late is no second connection', async () => {
  begin()
  let answerLate!: (token: string) => void
  const asked = vi.fn()
  const token = (): Promise<string> => {
    asked()
    return asked.mock.calls.length === 1 ? new Promise((resolve) => { answerLate = resolve }) : Promise.resolve(tokenOf('u1'))
  }
  const tab = await tabOf('u1', { token })
  await pass(29_000)
  expect(asked).toHaveBeenCalledTimes(1)
  await pass(2000)
  expect(state(tab)).toBe('live')
  tab.tab.run(() => answerLate(tokenOf('u1')))
  await pass(60_000)
  expect(asked).toHaveBeenCalledTimes(2)
  expect(FakeSocket.all).toHaveLength(1)
})

test('CONNECTION_LIMIT closes all tabs, and a new tab connects them again; one that wakes up does not', async () => {
  begin()
  const [first, second] = [await tabOf('u1'), await tabOf('u1')]
  FakeSocket.all[0]!.post({ type: 'closing', data: { code: 'CONNECTION_LIMIT', reason: '', reconnect: false } })
  await pass(5000)
  for (const tab of [first, second]) {
    expect(state(tab)).toBe('closed')
    tab.tab.run(() => tab.tab.event('online'))
  }
  await pass(60_000)
  expect(FakeSocket.all).toHaveLength(1)
  const third = await tabOf('u1')
  await pass(3000)
  for (const tab of [first, second, third]) expect(state(tab)).toBe('live')
  expect(server.open()).toHaveLength(1)
})
