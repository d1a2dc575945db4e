// What the tests see of the page.
import type { Page } from 'puppeteer-core'
import { waitFor } from './world.ts'

/** The text of the page's badge, such as Live. */
export const badge = (page: Page): Promise<string> => page.evaluate(() => document.querySelector('.badge')?.textContent ?? '')

/** The values that each bar of the page has had since it was loaded, by file. */
export const bars = (page: Page): Promise<Record<string, number[]>> => page.evaluate(() => window.probe.bars)

/** How often a list of values falls. */
export const falls = (values: readonly number[]): number => values.filter((value, i) => i > 0 && value < values[i - 1]!).length

/** The text of the first card. */
export const cardText = (page: Page): Promise<string> => page.evaluate(() => document.querySelector<HTMLElement>('.card')?.innerText ?? '')

export const waitForBadge = (page: Page, text: string): Promise<string> => waitFor(`the badge ${text}`, () => badge(page), (shown) => shown === text, 30_000)

/** Waits until the bar of a file has a value of at least so much, and returns all values that it has had. */
export const waitForBar = (page: Page, file: string, least: number): Promise<number[]> =>
  waitFor(`${least} % of ${file}`, async () => (await bars(page))[file] ?? [], (values) => (values.at(-1) ?? 0) >= least, 30_000)
