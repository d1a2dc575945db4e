import type { Page } from 'puppeteer-core'
import type { Site } from './sites.ts'
import { waitFor, type World } from './world.ts'

/** Opens a tab with the client fixture. */
export async function openClient(world: World, site: Site, user = 'dev'): Promise<Page> {
  return world.openTab(clientURL(world, site, user))
}

export const clientURL = (world: World, site: Site, user = 'dev'): string =>
  `${site.origin}/?${new URLSearchParams({ user, url: world.twin.webSocketUrl })}`

/** What a tab with the client fixture shows. */
export interface Seen {
  state: string
  code?: string
  states: string[]
  jobs: Record<string, { epoch: string; seq: number; status: string; progress: number; message: string }>
  notes: string[]
  faults: string[]
  /** The sockets that are open now, and all that were ever made. */
  open: number
  made: number
}

export const seenBy = (page: Page): Promise<Seen> => page.evaluate(() => {
  const { app, probe } = window
  const { state, code } = app.herald.status.getSnapshot()
  const jobs = app.jobs().map(({ id, epoch, seq, status, progress, message }) => [id, { epoch, seq, status, progress, message }])
  return {
    state, code, states: app.statuses.map((status) => status.state), jobs: Object.fromEntries(jobs),
    notes: app.shown().map(({ id }) => id).reverse(), faults: app.faults,
    open: probe.sockets.filter(({ readyState }) => readyState === 1).length, made: probe.sockets.length,
  }
})

/** Waits until a tab is live. */
export const waitForLive = (page: Page, timeout?: number): Promise<Seen> => waitFor('live', () => seenBy(page), ({ state }) => state === 'live', timeout)

/** Waits until a tab shows what the feed has, exactly. */
export async function waitForFeed(world: World, page: Page, user = 'dev', timeout?: number): Promise<Seen> {
  const pick = ({ jobs, notes }: { jobs: object; notes: string[] }) => JSON.stringify([Object.entries(jobs).sort(([a], [b]) => (a < b ? -1 : 1)), notes])
  const found = await world.twin.feed(user)
  for (const job of Object.values(found.jobs)) job.status ||= 'running'
  const feed = pick(found)
  return waitFor(`what the feed has: ${feed}`, () => seenBy(page), (seen) => seen.state === 'live' && pick(seen) === feed, timeout)
}
