// A client in virtual time, whose server answers each sync and ping at once.
import { afterEach } from 'vitest'
import type { Frame, Herald, Options } from '../src/client/api.ts'
import { beginTest, endTest, type FakePage, FakeSocket, pass } from './world.ts'

// With HERALD_DIST the built file is tested.
const { connect } = (await import(process.env.HERALD_DIST ? '../dist/herald.js' : '../src/client/connect.ts')) as typeof import('../src/client/connect.ts')

export const url = 'wss://example.com/prod'
export const epoch = '2026-11-22T10:00:00.000Z#0000'
export const minute = 60_000

export let page: FakePage
/** What the client has sent. */
export let sent: any[] = []
let heralds: Herald[] = []

export function begin(more: { sends?: (socket: FakeSocket, message: any) => void; refuse?: () => boolean } = {}): void {
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

/** Opens a client, which is closed at the end of the test. */
export function open(options: Partial<Options> = {}): Herald {
  const herald = connect({ url, token: async () => 't1', ...options })
  heralds.push(herald)
  return herald
}

export const last = (): FakeSocket => FakeSocket.all.at(-1)!
export const openSockets = (): FakeSocket[] => FakeSocket.all.filter((socket) => socket.open)
export const state = (herald: Herald): string => herald.status.getSnapshot().state
export const actions = (): string[] => sent.map(({ action }) => action)

export function frame(job: string, seq: number, more: object = {}, run = epoch): Frame {
  const data = { uploadId: job, fileName: 'f', progress: seq, message: 'm', ...more }
  return { type: 'upload_progress', timestamp: '2026-11-22T10:00:00.000Z', job, epoch: run, seq, data }
}

export function welcome(seconds: number): Frame {
  const now = new Date().toISOString()
  return { type: 'welcome', timestamp: now, data: { connectionId: 'c', serverTime: now, sessionEnd: new Date(Date.now() + seconds * 1000).toISOString() } }
}

afterEach(async () => {
  for (const herald of heralds) herald.close()
  heralds = []
  await pass(1)
  endTest()
})
