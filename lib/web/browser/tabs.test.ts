import { setTimeout as pause } from 'node:timers/promises'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { openClient, seenBy, waitForFeed, waitForLive } from './clients.ts'
import { serveFixture, type Site } from './sites.ts'
import { inEachBrowser, openWorld, waitFor, type World } from './world.ts'

inEachBrowser('tabs in %s', (name) => {
  let world: World
  let site: Site
  beforeAll(async () => {
    [world, site] = await Promise.all([openWorld(name), serveFixture('client.ts')])
    site.token = ({ user }) => world.twin.token(user)
  })
  afterAll(() => Promise.all([world?.close(), site?.close()]))
  beforeEach(() => world.fresh())

  // Publishes notes and states, one each 20 ms, until it is told to stop.
  function publish(user: string) {
    let stopped = false
    const epoch = `${new Date().toISOString()}#0000`
    const ended = (async () => {
      for (let i = 1; !stopped; i++) {
        await Promise.all([
          world.twin.notify(user, 'notification', { title: `Note ${i}`, message: 'A test', severity: 'info' }),
          world.twin.notify(user, 'upload_progress', { uploadId: 'moving', fileName: 'moving.csv', progress: Math.min(99, i / 5), message: `Step ${i}` }, { epoch }),
        ])
        await pause(20)
      }
      await world.twin.notify(user, 'upload_progress', { uploadId: 'moving', fileName: 'moving.csv', progress: 100, message: 'Done', status: 'succeeded' }, { epoch })
    })()
    const stop = async () => {
      stopped = true
      await ended
    }
    onTestFinished(stop)
    return stop
  }

  async function openThree(user: string): Promise<{ leader: Page; others: Page[] }> {
    const pages = [await openClient(world, site, user)]
    await waitForLive(pages[0]!)
    pages.push(await openClient(world, site, user), await openClient(world, site, user))
    for (const page of pages) await waitForLive(page)
    const seen = await Promise.all(pages.map(seenBy))
    expect(seen.map(({ made }) => made)).toEqual([1, 0, 0])
    expect(world.cable.handshakes).toHaveLength(1)
    return { leader: pages[0]!, others: pages.slice(1) }
  }

  // How a leader can die. A crash takes only its own tab along, if each has a process of its own.
  const deaths: [string, (page: Page) => Promise<unknown>][] = [['is closed', (page) => page.close()]]
  deaths.push(['loads another site', (page) => page.goto('about:blank')])
  if (name === 'chrome') {
    deaths.push(['crashes', async (page) => {
      const session = await page.createCDPSession()
      void session.send('Page.crash').catch(() => {}) // it never answers
      await pause(50)
    }])
  }

  test.each(deaths)('another of three takes over within 2 s when the leader %s, and nothing is lost or comes twice', async (death, kill) => {
    const user = `tabs-${death.replaceAll(' ', '-')}`
    const { leader, others } = await openThree(user)
    const stop = publish(user)
    await pause(500)
    const [died] = [Date.now(), await kill(leader)]
    await waitFor('another leader', () => Promise.all(others.map(seenBy)), (all) => all.some(({ open, state }) => open === 1 && state === 'live'), 4000)
    const took = Date.now() - died
    await pause(500)
    await stop()
    for (const page of others) expect((await waitForFeed(world, page, user)).faults).toEqual([])
    expect((await Promise.all(others.map(seenBy))).reduce((sum, { open }) => sum + open, 0)).toBe(1)
    expect(took).toBeLessThan(2000)
    world.expectClean()
  })

  test.runIf(name === 'chrome')('another takes over from a frozen leader, and the two end as one', async () => {
    const user = 'tabs-frozen'
    const { leader, others } = await openThree(user)
    const stop = publish(user)
    const session = await leader.createCDPSession()
    await session.send('Page.setWebLifecycleState', { state: 'frozen' })
    await waitFor('another leader', () => Promise.all(others.map(seenBy)), (all) => all.some(({ open, state }) => open === 1 && state === 'live'), 10_000)
    await session.send('Page.setWebLifecycleState', { state: 'active' })
    await stop()
    const all = [leader, ...others]
    for (const page of all) expect((await waitForFeed(world, page, user)).faults).toEqual([])
    await waitFor('one socket', () => Promise.all(all.map(seenBy)), (seen) => seen.reduce((sum, { open }) => sum + open, 0) === 1)
    world.expectClean()
  })
})
