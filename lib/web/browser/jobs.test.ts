import type { Page } from 'puppeteer-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { findings } from './axe.ts'
import { bars, cardText, falls, waitForBadge } from './pages.ts'
import { inEachBrowser, openWorld, waitFor, type World } from './world.ts'

/** What a bar says, which is what a screen reader says of it. */
const barText = (page: Page): Promise<string> => page.evaluate(() => document.querySelector('[role=progressbar]')?.getAttribute('aria-valuetext') ?? '')

inEachBrowser('any job in %s', (name) => {
  let world: World
  beforeAll(async () => { world = await openWorld(name) })
  afterAll(() => world?.close())
  beforeEach(() => world.fresh())

  test('a worker that is no import is followed from the queue over a retry and a stall to its result', async () => {
    const { twin } = world
    const user = 'dev'
    const job = `report-${name}`
    const title = 'Sales report of October'
    const epoch = `${new Date().toISOString()}#0000`
    const step = (title: string, status: string) => ({ name: title, at: new Date().toISOString(), status })
    const say = (data: object) => twin.notify(user, 'job_progress', { jobId: job, title, message: 'Rendering', ...data }, { epoch })
    const page = await world.openPage()
    await waitForBadge(page, 'Live')
    const shown = (text: RegExp) => waitFor(String(text), () => barText(page), (now) => text.test(now))
    const found: string[] = []
    const check = async (state: string) => void found.push(...await findings(page, state))

    await say({ progress: 0, status: 'queued', message: 'Accepted' })
    await shown(/^0 %, Waiting to start, Accepted$/)
    await say({ progress: 30, attempt: 1, of: 3, expectEvery: 86_400, steps: [step('Fetch the orders', 'succeeded'), step('Render', 'running')] })
    await shown(/^30 %, Rendering$/)
    await page.evaluate(() => { document.querySelector<HTMLDetailsElement>('.card details')!.open = true })
    expect(await page.evaluate(() => [...document.querySelectorAll('.steps .state')].map((state) => state.textContent))).toEqual(['Fetch the orders, done', 'Render, running'])
    await check('running')
    await say({ progress: 10, status: 'retrying', attempt: 2, of: 3, message: 'The disk was full' })
    await shown(/^30 %, Retrying, attempt 2 of 3, The disk was full$/)
    await check('retrying')
    await say({ progress: 35, status: 'stalled', attempt: 2, of: 3 })
    await shown(/^35 %, Stalled: no news for 24 h, Rendering, attempt 2 of 3$/)
    await check('stalled')
    await say({ progress: 60, status: 'waiting', attempt: 2, of: 3, message: 'Ada must approve the figures' })
    await shown(/^60 %, Waiting, Ada must approve the figures, attempt 2 of 3$/)
    await check('waiting')

    const key = `results/${Buffer.from(user).toString('base64url')}/${job}/report.csv`
    const stored = await fetch(`${twin.endpoint}/herald-uploads/${key}`, { method: 'PUT', body: 'month,sales\n' })
    expect(stored.ok).toBe(true)
    await say({ progress: 100, status: 'succeeded', attempt: 2, of: 3, message: '12 pages', result: key })
    await shown(/^100 %, 12 pages/)
    await check('succeeded')
    expect(falls((await bars(page))[title]!)).toBe(0)

    await page.evaluate(() => { // the test downloads the file itself, so that nothing stays in the user's folder
      HTMLAnchorElement.prototype.click = function click() { document.body.dataset.opened = this.href }
    })
    await page.evaluate(() => document.querySelector<HTMLElement>('.card .result button')!.click())
    const url = await waitFor('the URL of the result', () => page.evaluate(() => document.body.dataset.opened ?? ''), Boolean)
    const answer = await fetch(url)
    expect([await answer.text(), answer.headers.get('content-disposition')]).toEqual(['month,sales\n', 'attachment; filename=report.csv'])

    await page.reload()
    const past = await waitFor('the job in the history', () => page.evaluate(() => document.querySelector<HTMLElement>('.history')?.innerText ?? ''), Boolean)
    expect(past).toContain(title)
    expect(past).toMatch(/12 pages\s+Download report\.csv/)
    await check('history')
    expect(found).toEqual([])
    expect(await cardText(page)).toBe('')
    world.expectClean()
  })
})
