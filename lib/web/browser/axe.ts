import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'puppeteer-core'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

declare global {
  interface Window {
    axe: { run(): Promise<{ violations: { id: string; help: string; nodes: { target: unknown }[] }[] }> }
  }
}

/** What axe-core finds in light, in the dark, and on a phone. */
export async function findings(page: Page, state: string): Promise<string[]> {
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
