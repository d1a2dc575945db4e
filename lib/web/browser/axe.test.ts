import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { cardText, waitForBadge, waitForBar } from './pages.ts'
import { inEachBrowser, openWorld, testdata, waitFor, type World } from './world.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

declare global {
  interface Window {
    axe: { run(): Promise<{ violations: { id: string; help: string; nodes: { target: unknown }[] }[] }> }
  }
}

// What axe-core finds in light, in the dark, and on a phone.
async function findings(page: Page, state: string): Promise<string[]> {
  const found: string[] = []
  await page.evaluate(axe)
  for (const look of ['light', 'dark', 'phone'] as const) {
    await page.setViewport(look === 'phone' ? { width: 390, height: 844 } : { width: 1000, height: 800 })
    const features = [{ name: 'prefers-color-scheme', value: look === 'dark' ? 'dark' : 'light' }]
    const canEmulate = await page.emulateMediaFeatures(features).then(() => true, () => false) // Firefox cannot be told
    if (look === 'dark' && !canEmulate) continue
    const { violations } = await page.evaluate(() => window.axe.run())
    found.push(...violations.map(({ id, help, nodes }) => `${state}, ${look}: ${id}: ${help}: ${nodes.map(({ target }) => target).join()}`))
  }
  return found
}

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
