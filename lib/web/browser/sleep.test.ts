import { setTimeout as pause } from 'node:timers/promises'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openClient, seenBy, waitForFeed, waitForLive } from './clients.ts'
import { serveFixture, type Site } from './sites.ts'
import { inEachBrowser, openWorld, type World } from './world.ts'

const minute = 60_000

inEachBrowser('a laptop that sleeps for 15 minutes, in %s', (name) => {
  let world: World
  let site: Site
  beforeAll(async () => {
    [world, site] = await Promise.all([openWorld(name), serveFixture('client.ts')])
    site.token = ({ user }) => world.twin.token(user)
  })
  afterAll(() => Promise.all([world?.close(), site?.close()]))
  beforeEach(() => world.fresh())

  // Chromium freezes the tab. Firefox cannot be told to: its tab's only thread stands still, which looks the same from inside.
  async function sleepWhile(page: Page, act: () => Promise<unknown>): Promise<void> {
    if (name === 'chrome') {
      const session = await page.createCDPSession()
      await session.send('Page.setWebLifecycleState', { state: 'frozen' })
      await act()
      await page.evaluate((time) => window.probe.skip(time), 15 * minute)
      await session.send('Page.setWebLifecycleState', { state: 'active' })
    } else {
      const stands = page.evaluate((time) => {
        const end = performance.now() + 3000
        while (performance.now() < end);
        window.probe.skip(time)
      }, 15 * minute)
      await pause(200)
      await act()
      await stands
    }
  }

  // What the computer finds when it wakes up: the connection that it had, or one that nothing comes through any more.
  test.each(['works', 'is dead, which nobody told it'])('is live again, with all that it missed, when its connection %s', async (connection) => {
    const user = `sleeper-${connection.length}`
    const page = await openClient(world, site, user)
    await waitForLive(page)
    const epoch = `${new Date().toISOString()}#0000`
    const state = (progress: number) => world.twin.notify(user, 'upload_progress', { uploadId: 'night', fileName: 'night.csv', progress, message: `${progress}` }, { epoch })
    await state(10)
    await waitForFeed(world, page, user)
    await sleepWhile(page, async () => {
      if (connection !== 'works') world.cable.silence()
      await state(60)
      await world.twin.notify(user, 'notification', { title: 'Good night', message: 'A test', severity: 'info' })
      await world.twin.notify(user, 'upload_progress', { uploadId: 'night', fileName: 'night.csv', progress: 100, message: 'Done', status: 'succeeded' }, { epoch })
    })
    const woke = Date.now()
    const seen = await waitForFeed(world, page, user, 30_000)
    console.log(`${name}: live with everything ${Date.now() - woke} ms after it woke up`)
    expect(seen.faults).toEqual([])
    expect(seen.jobs.night!.status).toBe('succeeded')
    await world.twin.notify(user, 'notification', { title: 'Good morning', message: 'A test', severity: 'info' })
    expect((await waitForFeed(world, page, user)).notes).toHaveLength(2)
    expect((await seenBy(page)).open).toBe(1)
    world.expectClean(name === 'chrome' ? 'cut' : undefined) // Chromium ends the connections of a frozen tab
  })
})
