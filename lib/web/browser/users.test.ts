import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Page } from 'puppeteer-core'
import { openTab } from './browsers.ts'
import { badge } from './pages.ts'
import { inEachBrowser, openWorld, waitFor, type World } from './world.ts'

inEachBrowser('two users in %s', (name) => {
  let world: World
  beforeAll(async () => { world = await openWorld(name) })
  afterAll(() => world?.close())
  beforeEach(() => world.fresh())

  async function choose(page: Page, i: number): Promise<void> {
    await waitFor('live', () => badge(page), (text) => text === 'Live')
    await page.evaluate((index) => {
      const menu = document.querySelector<HTMLSelectElement>('.top select')!
      menu.selectedIndex = index
      menu.dispatchEvent(new Event('change', { bubbles: true }))
    }, i)
  }
  const panes = (page: Page) => page.evaluate(() => [...document.querySelectorAll<HTMLElement>('.pane')].map((pane) => [pane.getAttribute('aria-label')!, pane.textContent!] as const))

  test('side by side on a page see only their own', async () => {
    const page = await world.openPage()
    await choose(page, 2)
    await waitFor('two badges', () => page.evaluate(() => [...document.querySelectorAll('.badge')].map(({ textContent }) => textContent)), (texts) => texts.length === 2 && texts.every((text) => text === 'Live'))
    await Promise.all([world.twin.store('dev', 'd1', 'only-dev.csv', world.partsList), world.twin.store('ada', 'a1', 'only-ada.csv', world.partsList)])
    const seen = await waitFor('both ends', () => panes(page), (all) => all.every(([, text]) => /rows imported/.test(text)))
    const [dev, ada] = ['dev', 'ada'].map((user) => seen.find(([label]) => label.includes(user))![1])
    expect(dev).toContain('only-dev.csv')
    expect(dev).not.toContain('only-ada.csv')
    expect(ada).toContain('only-ada.csv')
    expect(ada).not.toContain('only-dev.csv')
    world.expectClean()
  })

  test('in profiles of their own, and in two tabs of one profile, see only their own', async () => {
    const other = await world.browser.createBrowserContext()
    const [dev, ada, adaBesides] = [await world.openPage(), await openTab(other, world.problems), await world.openPage()]
    await ada.goto(world.twin.pageUrl)
    for (const page of [ada, adaBesides]) await choose(page, 1)
    for (const page of [dev, ada, adaBesides]) await waitFor('live', () => badge(page), (text) => text === 'Live')
    await Promise.all([world.twin.store('dev', 'd2', 'mine-dev.csv', world.partsList), world.twin.store('ada', 'a2', 'mine-ada.csv', world.partsList)])
    for (const [page, own, others] of [[dev, 'mine-dev.csv', 'mine-ada.csv'], [ada, 'mine-ada.csv', 'mine-dev.csv'], [adaBesides, 'mine-ada.csv', 'mine-dev.csv']] as const) {
      const text = await waitFor(own, async () => (await panes(page)).map(([, content]) => content).join(), (content) => content.includes(own) && /rows imported/.test(content))
      expect(text).not.toContain(others)
      expect(await page.evaluate(() => Object.keys(window.probe.bars).join())).not.toContain(others)
    }
    await other.close()
    world.expectClean()
  })
})
