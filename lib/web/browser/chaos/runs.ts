import { setTimeout as pause } from 'node:timers/promises'
import type { Page } from 'puppeteer-core'
import type { Feed, Twin } from '../twins.ts'
import { randomFrom } from './random.ts'

/** What the three tabs of a run show, and what went wrong in them. */
export interface Shown {
  /** Of each tab: the jobs and the notes as the feed has them, as text. */
  jobs: string[]
  notes: string[]
  states: string[]
  faults: string[]
}

export const userOf = (seed: number): string => `chaos-${seed}`

/** Opens the client of a run in a frame of each tab. A frame is a document of its own, as a tab is: it can die alone. */
export async function openFrames(tabs: readonly Page[], user: string, url: string): Promise<void> {
  for (const tab of tabs) {
    await tab.evaluate((id, query) => {
      const frame = document.createElement('iframe')
      frame.id = id
      frame.src = `/?${query}`
      document.body.append(frame)
    }, user, String(new URLSearchParams({ user, url })))
  }
}

export async function closeFrames(tabs: readonly Page[], user: string): Promise<void> {
  for (const tab of tabs) await tab.evaluate((id) => document.getElementById(id)!.remove(), user)
}

/** Ends the client of a run in one tab, without a word to the others, and opens it again. */
export const restartFrame = (tab: Page, user: string): Promise<void> => tab.evaluate((id) => {
  const frame = document.getElementById(id) as HTMLIFrameElement
  const { app } = frame.contentWindow!
  const before = [...JSON.parse(frame.dataset.faults ?? '[]'), ...app?.faults ?? []] as string[]
  const next = document.createElement('iframe')
  next.id = id
  next.src = frame.src
  next.dataset.faults = JSON.stringify(before)
  frame.remove()
  document.body.append(next)
}, user)

/** Publishes what happens to a user in a run: three jobs, one of which runs twice, and notes between. */
export async function publish(twin: Twin, seed: number, tabs: readonly Page[]): Promise<void> {
  const random = randomFrom(seed, 0, 1)
  const user = userOf(seed)
  const start = Date.now()
  const epochs = [1, 2].map((run) => `${new Date(start + run).toISOString()}#0000`)
  const jobs = ['a', 'b', 'c'].map((id) => ({ id, progress: 0, run: 0, ended: false }))
  const steps = 24 + Math.floor(random() * 12)
  const restarts = new Set([Math.floor(random() * steps), Math.floor(random() * steps)])
  for (let step = 0; step < steps; step++) {
    await pause(random() * 160)
    if (restarts.has(step)) await restartFrame(tabs[Math.floor(random() * tabs.length)]!, user)
    if (random() < 0.25) {
      await twin.notify(user, 'notification', { title: `Note ${step}`, message: `Of seed ${seed}`, severity: 'info' })
      continue
    }
    const job = jobs[Math.floor(random() * jobs.length)]!
    if (job.ended) continue
    job.progress = Math.min(99, job.progress + random() * 15)
    if (job.id === 'a' && step > steps / 2 && job.run === 0) Object.assign(job, { run: 1, progress: 1 })
    await twin.notify(user, 'upload_progress', { uploadId: job.id, fileName: `${job.id}.csv`, progress: job.progress, message: `Step ${step}` }, { epoch: epochs[job.run]! })
  }
  for (const job of jobs.filter(({ id }) => id !== 'c' || random() < 0.5)) { // the third may stay unfinished
    const status = random() < 0.7 ? 'succeeded' : 'failed'
    await twin.notify(user, 'upload_progress', { uploadId: job.id, fileName: `${job.id}.csv`, progress: job.progress, message: 'The end', status }, { epoch: epochs[job.run]! })
  }
}

/** The feed's jobs and notes as text, to compare. */
export function textOf(feed: Feed): { jobs: string; notes: string } {
  const jobs = Object.entries(feed.jobs).sort(([a], [b]) => (a < b ? -1 : 1))
  return { jobs: jobs.map(([id, { epoch, seq, status, progress }]) => [id, epoch, seq, status || 'running', progress].join(' ')).join('\n'), notes: feed.notes.join(' ') }
}

/** Looks at the three tabs of a run. */
export async function look(tabs: readonly Page[], user: string): Promise<Shown> {
  const all = await Promise.all(tabs.map((tab) => tab.evaluate((id) => {
    const frame = document.getElementById(id) as HTMLIFrameElement
    const { app } = frame.contentWindow!
    const before = JSON.parse(frame.dataset.faults ?? '[]') as string[]
    if (!app) return { jobs: '', notes: '', state: 'loading', faults: before }
    const jobs = [...app.jobs()].sort((a, b) => (a.id < b.id ? -1 : 1)).map(({ id: job, epoch, seq, status, progress }) => [job, epoch, seq, status, progress].join(' '))
    return { jobs: jobs.join('\n'), notes: app.shown().map((note) => note.id).reverse().join(' '), state: app.herald.status.getSnapshot().state, faults: [...before, ...app.faults] }
  }, user)))
  return { jobs: all.map((tab) => tab.jobs), notes: all.map((tab) => tab.notes), states: all.map((tab) => tab.state), faults: all.flatMap((tab) => tab.faults) }
}

/** Moves the clock of a run's clients on. */
export async function skip(tabs: readonly Page[], user: string, milliseconds: number): Promise<void> {
  for (const tab of tabs) {
    await tab.evaluate((id, time) => (document.getElementById(id) as HTMLIFrameElement).contentWindow!.probe.skip(time), user, milliseconds)
  }
}
