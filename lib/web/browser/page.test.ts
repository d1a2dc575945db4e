import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type BrowserName } from './browsers.ts'
import { startCommand } from './twins.ts'
import { cardText, falls, waitForBadge, waitForBar } from './pages.ts'
import { inEachBrowser, openWorld, testdata, waitFor, type World } from './world.ts'

const partsList = join(testdata, 'parts-list.csv')

/** Drops a file on the page. Chromium does it as with a mouse; for Firefox a script makes the event. */
async function drop(page: Page, name: BrowserName, path: string, bytes: Uint8Array): Promise<void> {
  if (name === 'chrome') {
    const session = await page.createCDPSession()
    const data = { items: [], files: [path], dragOperationsMask: 1 }
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) await session.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data })
    return
  }
  await page.evaluate((fileName, content) => {
    const dataTransfer = new DataTransfer()
    const file = Uint8Array.from(atob(content), (char) => char.charCodeAt(0))
    dataTransfer.items.add(new File([file], fileName, { type: 'text/csv' }))
    for (const type of ['dragover', 'drop']) document.querySelector('.pane')!.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }))
  }, path.split('/').at(-1)!, Buffer.from(bytes).toString('base64'))
}

inEachBrowser('the page in %s', (name) => {
  let world: World
  beforeAll(async () => { world = await openWorld(name, ['-rate', '120']) })
  afterAll(() => world?.close())
  beforeEach(() => world.fresh())

  test('a file that a newcomer drops becomes a bar that ends at 100', async () => {
    const command = await startCommand()
    try {
      const page = await world.openTab(command.pageUrl)
      await waitForBadge(page, 'Live')
      await drop(page, name, partsList, world.partsList)
      expect(falls(await waitForBar(page, 'parts-list.csv', 100))).toBe(0)
      await waitFor('the end', () => cardText(page), (text) => /9,800 rows imported/.test(text))
      world.expectClean()
    } finally {
      await command.stop()
    }
  })

  test('an import goes on when the network is cut in the middle of it', async () => {
    const page = await world.openPage()
    await waitForBadge(page, 'Live')
    await world.twin.store('dev', 'cut-import', 'cut-import.csv', world.partsList)
    const before = (await waitForBar(page, 'cut-import.csv', 35)).at(-1)!
    world.cable.cut()
    await waitForBadge(page, 'Offline')
    world.cable.mend()
    await waitForBadge(page, 'Live')
    expect(before).toBeLessThan(100)
    expect(falls(await waitForBar(page, 'cut-import.csv', 100))).toBe(0)
    world.expectClean('cut')
  })

  test('an import goes on when the page is loaded again in the middle of it', async () => {
    const page = await world.openPage()
    await waitForBadge(page, 'Live')
    await world.twin.store('dev', 'reloaded-import', 'reloaded-import.csv', world.partsList)
    const before = (await waitForBar(page, 'reloaded-import.csv', 35)).at(-1)!
    await page.reload()
    const values = await waitForBar(page, 'reloaded-import.csv', 100)
    expect(before).toBeLessThan(100)
    expect(values[0]!).toBeGreaterThanOrEqual(before)
    expect(falls(values)).toBe(0)
    world.expectClean()
  })
})
