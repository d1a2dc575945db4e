import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ElementHandle, Page } from 'puppeteer-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { bars, cardText, falls, waitForBadge, waitForBar } from './pages.ts'
import { clientURL, seenBy, waitForLive } from './clients.ts'
import { serveFixture, type Site } from './sites.ts'
import { inEachBrowser, openWorld, waitFor, type World } from './world.ts'

const mebibyte = 1 << 20
const choose = async (page: Page, path: string, input = '.drop input[multiple]') => (await page.$(input) as ElementHandle<HTMLInputElement>).uploadFile(path)

inEachBrowser('uploads in %s', (name) => {
  let world: World
  let site: Site
  let folder: string
  let count = 0
  beforeAll(async () => {
    [world, site] = await Promise.all([openWorld(name), serveFixture('uploads.ts')])
    site.token = ({ user }) => world.twin.token(user)
    folder = mkdtempSync(join(tmpdir(), 'herald-files-'))
  })
  afterAll(async () => {
    await Promise.all([world?.close(), site?.close()])
    rmSync(folder, { recursive: true })
  })
  beforeEach(() => world.fresh())

  /** Writes a parts list of at least so many bytes under a name of its own. */
  function fileOf(bytes: number): { path: string; file: string; size: number } {
    const file = `list-${++count}.csv`
    const row = `3001,Red,1,Brick 2 x 4,Bricks,${'x'.repeat(1000)}\n`
    const text = `part,color,quantity,description,category,notes\n${row.repeat(Math.ceil(bytes / row.length))}`
    const path = join(folder, file)
    writeFileSync(path, text)
    return { path, file, size: text.length }
  }

  test.each([['in one piece', 12 * mebibyte], ['in parts', 70 * mebibyte]])('an upload %s goes on when the network is cut in the middle of it', async (_, bytes) => {
    const { path, file, size } = fileOf(bytes)
    const page = await world.openPage()
    await waitForBadge(page, 'Live')
    world.cable.bytesPerSecond = size / 6
    await choose(page, path)
    const [sent, half] = [world.cable.sent, size * 0.4]
    await waitFor('the middle', () => world.cable.sent - sent, (passed) => passed > half, 20_000)
    const before = (await bars(page))[file]!.at(-1)!
    world.cable.cut()
    await waitForBadge(page, 'Offline')
    world.cable.bytesPerSecond = Infinity
    world.cable.mend()
    await waitForBadge(page, 'Live')
    expect(before).toBeLessThan(20) // the bar's first part
    expect(falls(await waitForBar(page, file, 100))).toBe(0)
    await waitFor('the end', () => cardText(page), (text) => /rows imported/.test(text))
    if (bytes > 64 * mebibyte) expect(world.cable.sent - sent).toBeLessThan(size * 2) // what had arrived stays
    world.expectClean('cut')
  })

  test('an upload goes on when the page is loaded again in the middle of it', async () => {
    const { path, file, size } = fileOf(130 * mebibyte) // so that four parts of 16 MiB have arrived
    const page = await world.openPage()
    await waitForBadge(page, 'Live')
    world.cable.bytesPerSecond = size / 6
    await choose(page, path)
    const sent = world.cable.sent
    await waitFor('the middle', () => world.cable.sent - sent, (passed) => passed > size * 0.6, 20_000)
    await page.reload()
    world.cable.bytesPerSecond = Infinity
    await waitFor('the interrupted upload', () => cardText(page), (text) => text.includes(file) && text.includes('Interrupted'))
    await Promise.all([page.waitForFileChooser(), page.click('.card .trouble button')]).then(([chooser]) => chooser.accept([path]))
    await waitForBar(page, file, 100)
    await waitFor('the end', () => cardText(page), (text) => /rows imported/.test(text))
    expect(world.cable.sent - sent).toBeLessThan(size * 1.5) // what had arrived stays
    world.expectClean('cut')
  })

  // What an application sees that uses the package alone.
  const sendingIn = (page: Page) => page.evaluate(() => window.sending?.getSnapshot() ?? null)
  async function openUploads(user: string): Promise<Page> {
    const page = await world.openTab(clientURL(world, site, user))
    await waitForLive(page)
    return page
  }
  async function expectImported(page: Page, size: number): Promise<void> {
    const { job, sent } = (await waitFor('all bytes', () => sendingIn(page), (sending) => sending?.state === 'done', 30_000))!
    expect(sent).toBe(size)
    const seen = await waitFor('the end of the import', () => seenBy(page), ({ jobs }) => jobs[job!]?.status === 'succeeded', 30_000)
    expect(Object.keys(seen.jobs)).toEqual([job])
    expect(seen.faults).toEqual([])
  }

  test('the client sends on what a cut network left over', async () => {
    const { path, size } = fileOf(70 * mebibyte)
    const page = await openUploads('cut-upload')
    world.cable.bytesPerSecond = size / 12 // for each of the four parts at once
    const sent = world.cable.sent
    await choose(page, path, 'body > input')
    await waitFor('the middle', () => world.cable.sent - sent, (passed) => passed > size * 0.4, 20_000)
    world.cable.cut()
    await waitFor('offline', () => seenBy(page), ({ state }) => state === 'offline')
    world.cable.bytesPerSecond = Infinity
    world.cable.mend()
    await expectImported(page, size)
    world.expectClean('cut')
  })

  test('the client sends on, after a reload, what was not sent before it', async () => {
    const { path, file, size } = fileOf(130 * mebibyte)
    const page = await openUploads('reloaded-upload')
    world.cable.bytesPerSecond = size / 12
    await choose(page, path, 'body > input')
    await waitFor('the middle', () => sendingIn(page), (sending) => sending !== null && sending.sent > size * 0.7, 40_000)
    await page.reload()
    world.cable.bytesPerSecond = Infinity
    const sent = world.cable.sent
    await waitForLive(page)
    const found = await page.evaluate(() => window.resumable())
    expect(found).toMatchObject([{ fileName: file }])
    await choose(page, path, 'body > input')
    await expectImported(page, size)
    expect(world.cable.sent - sent).toBeLessThan(size * 0.7) // the parts that had arrived stay
    world.expectClean('cut')
  })
})
