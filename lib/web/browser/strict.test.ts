import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { clientURL } from './clients.ts'
import { serveFixture, type Site } from './sites.ts'
import { inEachBrowser, openWorld, waitFor, type World } from './world.ts'

inEachBrowser('React in %s', (name) => {
  let world: World
  let site: Site
  beforeAll(async () => {
    [world, site] = await Promise.all([openWorld(name), serveFixture('strict.tsx')])
    site.token = ({ user }) => world.twin.token(user)
  })
  afterAll(() => Promise.all([world?.close(), site?.close()]))
  beforeEach(() => world.fresh())

  test('StrictMode mounts the components twice, and one socket is opened', async () => {
    const page = await world.openTab(clientURL(world, site, 'strict'))
    const text = () => page.evaluate(() => document.querySelector('p')?.textContent ?? '')
    await waitFor('live', text, (shown) => shown.startsWith('live'))
    await world.twin.notify('strict', 'upload_progress', { uploadId: 'strict', fileName: 'strict.csv', progress: 40, message: 'A test' })
    await waitFor('the progress', () => page.evaluate(() => document.querySelector('progress')!.value), (value) => value === 40)
    expect(await text()).toBe('live: strict.csv')
    expect(await page.evaluate(() => window.mounts)).toBeGreaterThan(1)
    expect(await page.evaluate(() => window.probe.sockets.length)).toBe(1)
    expect(world.cable.handshakes).toHaveLength(1)
    world.expectClean()
  })
})
