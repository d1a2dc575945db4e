import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { findings } from './axe.ts'
import { cardText, waitForBadge, waitForBar } from './pages.ts'
import { inEachBrowser, openWorld, testdata, waitFor, type World } from './world.ts'

inEachBrowser('axe-core in %s', (name) => {
  let world: World
  beforeAll(async () => { world = await openWorld(name, ['-rate', '60']) })
  afterAll(() => world?.close())
  beforeEach(() => world.fresh())

  test('finds nothing on the page, empty, running, finished, failed, offline, and with two users', async () => {
    const found: string[] = []
    const page = await world.openPage()
    const look = async (state: string) => void found.push(...await findings(page, state))
    await waitForBadge(page, 'Live')
    await look('empty')
    await world.twin.store('dev', 'axe', 'axe.csv', world.partsList)
    await waitForBar(page, 'axe.csv', 10)
    await page.evaluate(() => { document.querySelector<HTMLDetailsElement>('.card details')!.open = true })
    await look('running')
    await world.twin.store('dev', 'broken', 'unclosed-quote.csv', readFileSync(join(testdata, 'broken/unclosed-quote.csv')))
    await waitFor('the failure', () => page.evaluate(() => document.querySelectorAll('[data-kind=failed]').length), Boolean)
    await look('failed')
    world.cable.cut()
    await waitForBadge(page, 'Offline')
    await look('offline')
    world.cable.mend()
    await waitForBar(page, 'axe.csv', 100)
    await waitFor('the end', () => cardText(page), Boolean)
    await look('finished')
    await page.evaluate(() => {
      const menu = document.querySelector<HTMLSelectElement>('.top select')!
      menu.selectedIndex = 2
      menu.dispatchEvent(new Event('change', { bubbles: true }))
    })
    await waitFor('two users', () => page.evaluate(() => document.querySelectorAll('.pane').length), (panes) => panes === 2)
    await look('two users')
    expect(found).toEqual([])
    world.expectClean('cut')
  })
})
