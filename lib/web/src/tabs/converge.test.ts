import { expect, test } from 'vitest'
import { beginTabs, openTab, type Tab, tokenOf } from '../../test/tabs.ts'
import { endTest, FakeSocket, pass } from '../../test/world.ts'
import type { Herald } from '../client/api.ts'
import { firstID } from '../client/notes.ts'

const url = 'wss://example.com/prod'
const epoch = '2026-11-22T10:00:00.000Z#0000'
const maxTabs = 5
const steps = 60
const pageSize = 3

interface Open {
  tab: Tab
  herald: Herald
  shown: string[]
  progress: Map<string, number>
}

// Returns random numbers by a seed.
function randomOf(seed: number): () => number {
  let state = seed + 1
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

// A server that loses frames and refuses handshakes, until it is calm.
class Server {
  calm = false
  states = new Map<string, any>()
  notes: any[] = []

  constructor(readonly random: () => number) {}

  connects = (socket: FakeSocket): void => {
    socket.refused = !this.calm && this.random() < 0.15
  }

  push(frame: unknown): void {
    for (const socket of this.open()) if (this.random() > 0.2) socket.post(frame)
  }

  open = (): FakeSocket[] => FakeSocket.all.filter(({ open }) => open)

  sends = (socket: FakeSocket, { action, have, since }: any): void => {
    const answer = (frame: unknown): void => queueMicrotask(() => {
      if (this.calm || this.random() > 0.2) socket.post(frame)
    })
    if (action === 'ping') answer({ type: 'pong', data: {} })
    if (action !== 'sync') return
    const jobs = [...this.states.values()].filter(({ job, seq }) => !(have?.[job]?.[1] >= seq))
    const notes = this.notes.filter(({ id }) => !since || id > since)
    const now = new Date().toISOString()
    answer({ type: 'welcome', timestamp: now, data: { connectionId: 'c', serverTime: now, sessionEnd: new Date(Date.now() + 3_600_000).toISOString() } })
    const page = [jobs, notes].map((frames) => frames.slice(0, pageSize))
    for (const frame of page.flat()) answer({ ...frame, replayed: true })
    const more = jobs.length > pageSize || notes.length > pageSize
    answer({ type: 'synced', data: { jobs: page[0]!.length, notes: page[1]!.length, ...(more && { more }) } })
  }
}

test.each(Array.from({ length: 15 }, (_, seed) => [seed]))('tabs that freeze, die, come and go end in the server\'s state, with nothing twice and no step back: seed %i', async (seed) => {
  const random = randomOf(seed)
  const server = new Server(random)
  beginTabs(server)
  const tabs: Open[] = []
  const faults: string[] = []
  const add = async (): Promise<void> => {
    const tab = await openTab('u1')
    const herald = tab.connect({ url, token: async () => {
      if (!server.calm && random() < 0.1) throw new Error('no token')
      return tokenOf('u1', { n: random() })
    } })
    const one: Open = { tab, herald, shown: [], progress: new Map() }
    herald.on('notification', ({ id }) => {
      if (one.shown.includes(id!)) faults.push(`note ${id} came twice`)
      one.shown.push(id!)
    })
    herald.jobs.subscribe(() => {
      for (const { id, progress } of herald.jobs.getSnapshot()) {
        if (progress < one.progress.get(id)!) faults.push(`job ${id} fell to ${progress}`)
        one.progress.set(id, progress)
      }
    })
    tabs.push(one)
  }
  const moveJob = (): void => {
    const job = `j${Math.floor(random() * 6)}`
    const seq = (server.states.get(job)?.seq ?? 0) + 1
    const data = { uploadId: job, fileName: 'f', progress: seq, message: 'm', ...(seq === 6 && { progress: 100, status: 'succeeded' }) }
    if (seq > 6) return
    server.states.set(job, { type: 'upload_progress', timestamp: new Date().toISOString(), job, epoch, seq, data })
    server.push(server.states.get(job))
  }
  const addNote = (): void => {
    const id = firstID(Date.now()).slice(0, 10) + String(server.notes.length).padStart(16, '0')
    server.notes.push({ type: 'notification', id, timestamp: '', data: { title: id, message: 'm', severity: 'info' } })
    server.push(server.notes.at(-1))
  }
  const thaw = async ({ tab }: Open): Promise<void> => {
    if (!tab.frozen) return
    await tab.thaw()
    tab.run(() => tab.event('pageshow'))
  }
  const leave = async ({ tab, herald }: Open, dies: boolean): Promise<void> => {
    if (tabs.length < 2) return
    tabs.splice(tabs.findIndex((one) => one.tab === tab), 1)
    await thaw({ tab } as Open)
    if (dies) await tab.kill()
    else tab.run(() => herald.close())
  }

  for (let i = 0; i < 3; i++) await add()
  for (let step = 0; step < steps; step++) {
    const one = tabs[Math.floor(random() * tabs.length)]!
    const what = random()
    if (what < 0.4) moveJob()
    else if (what < 0.6) addNote()
    else if (what < 0.66) one.tab.frozen = true
    else if (what < 0.74) for (const each of tabs) await thaw(each)
    else if (what < 0.82) await leave(one, what < 0.78)
    else if (what < 0.88 && tabs.length < maxTabs) await add()
    else if (what < 0.95) server.open()[0]?.lose()
    else one.tab.run(() => one.tab.event('freeze'))
    await pass([0, 10, 500, 3000, 15_000][Math.floor(random() * 5)]!)
  }
  server.calm = true
  for (const each of tabs) await thaw(each)
  await pass(300_000)
  expect(server.open()).toHaveLength(1)

  for (const { tab, herald } of tabs) {
    expect(herald.status.getSnapshot().state).toBe('live')
    expect(Object.fromEntries(herald.jobs.getSnapshot().map(({ id, seq }) => [id, seq]))).toEqual(Object.fromEntries([...server.states].map(([id, { seq }]) => [id, seq])))
    expect(herald.notes.getSnapshot().map(({ id }) => id).reverse()).toEqual(server.notes.map(({ id }) => id))
    tab.run(() => herald.close())
  }
  expect(faults).toEqual([])
  await pass(10)
  expect(server.open()).toEqual([])
  endTest()
})
