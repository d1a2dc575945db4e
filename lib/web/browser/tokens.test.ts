import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { clientURL, openClient, seenBy, waitForFeed, waitForLive } from './clients.ts'
import { serveFixture, type Site } from './sites.ts'
import { badge } from './pages.ts'
import { inEachBrowser, openWorld, waitFor, type World } from './world.ts'

const note = { title: 'Hello', message: 'A test', severity: 'info' }

inEachBrowser('tokens in %s', (name) => {
  let world: World
  let site: Site
  beforeAll(async () => { [world, site] = await Promise.all([openWorld(name), serveFixture('client.ts')]) })
  afterAll(() => Promise.all([world?.close(), site?.close()]))
  beforeEach(async () => {
    await world.fresh()
    site.asks.length = 0
  })

  test('a token that runs out is renewed on the same socket', async () => {
    site.token = ({ user }) => world.twin.token(user, '5s')
    const page = await openClient(world, site, 'renews')
    await waitForLive(page)
    await pause(7000)
    await world.twin.notify('renews', 'notification', note)
    const seen = await waitForFeed(world, page, 'renews')
    expect(seen.notes).toHaveLength(1)
    expect(seen.made).toBe(1)
    expect(seen.states.lastIndexOf('connecting')).toBeLessThan(seen.states.indexOf('live'))
    expect(site.asks.length).toBeGreaterThan(1)
    expect(site.asks.filter(({ refused }) => refused)).toEqual([])
    world.expectClean()
  })

  test('a token that has run out is followed by another one', async () => {
    const first = await world.twin.token('late', '4s')
    const second = await world.twin.token('late', '1h')
    const end = Date.now() + 4000
    site.token = () => (Date.now() < end ? first : second) // the application renews too late
    const page = await openClient(world, site, 'late')
    await waitForLive(page)
    await pause(4500)
    await world.twin.notify('late', 'notification', note) // the session is over: it is closed
    await waitFor('another connection', () => world.cable.handshakes.filter(({ status }) => status === 101), (all) => all.length === 2)
    expect((await waitForFeed(world, page, 'late')).notes).toHaveLength(1)
    expect(world.cable.handshakes.at(-1)!.token).toBe(second)
    world.expectClean('cut')
  })

  test('the page says when the token is refused, and goes on with another one', async () => {
    const page = await world.openTab()
    await page.evaluateOnNewDocument(() => {
      const fetch = window.fetch
      Object.assign(window, { refuseTokens: true })
      window.fetch = (input, init) => ((window as any).refuseTokens && String(input).startsWith('/_herald/token')
        ? Promise.resolve(new Response(JSON.stringify({ token: 'e30.eyJzdWIiOiJkZXYifQ.bad' }))) : fetch(input, init))
    })
    await page.goto(world.twin.pageUrl)
    await waitFor('words', () => page.evaluate(() => document.querySelector<HTMLElement>('.notice')?.innerText ?? ''), (text) => /sign/i.test(text))
    const refused = world.cable.handshakes.length
    expect(refused).toBeLessThanOrEqual(2)
    await pause(3000)
    expect(world.cable.handshakes.length).toBe(refused)
    await page.evaluate(() => {
      Object.assign(window, { refuseTokens: false })
      ;[...document.querySelectorAll('button')].find(({ innerText }) => innerText === 'Sign in again')!.click()
    })
    await waitFor('live', () => badge(page), (text) => text === 'Live')
    world.expectClean('cut')
  })

  // The clock of the tab is 60 times as fast: 6 minutes pass in 6 s.
  test.each([
    ['the same token again and again', false],
    ['another bad token each time', true],
  ])('an application that has only %s tries slowly, and never one that was refused', async (_, isOther) => {
    let count = 0
    site.token = () => `e30.${Buffer.from(JSON.stringify({ sub: 'bad', n: isOther ? ++count : 0 })).toString('base64url')}.bad`
    const page = await world.openTab()
    await page.evaluateOnNewDocument(() => window.probe.hurry(60))
    await page.goto(clientURL(world, site, 'bad'))
    await pause(6000) // 6 minutes
    const tokens = world.cable.handshakes.map(({ token }) => token)
    const uses = new Map<string, number>()
    for (const token of tokens) uses.set(token, (uses.get(token) ?? 0) + 1)
    const { state } = await seenBy(page)
    console.log(`${name}: ${tokens.length} handshakes in 6 minutes, ${uses.size} tokens, ${site.asks.length} questions, then ${state}`)
    expect(Math.max(...uses.values())).toBeLessThanOrEqual(2)
    expect(tokens.length).toBeLessThanOrEqual(isOther ? 50 : 2)
    expect(site.asks.length).toBeGreaterThan(4)
    expect(site.asks.length).toBeLessThanOrEqual(isOther ? 50 : 10)
    expect(site.asks.slice(0, 2).map(({ refused }) => refused)).toEqual([false, false])
    expect(site.asks.slice(3).every(({ refused }) => refused)).toBe(true)
    world.expectClean('cut')
  })
})
