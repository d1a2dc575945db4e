import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Browser, BrowserContext, Page } from 'puppeteer-core'
import { describe, expect } from 'vitest'
import { type BrowserName, browserNames, installed, launch, openTab, type Problems } from './browsers.ts'
import { type Cable, layCable } from './cable.ts'
import { startTwin, type Twin } from './twins.ts'

/** A twin, and a browser that reaches it by a cable. */
export interface World {
  readonly twin: Twin
  readonly cable: Cable
  readonly browser: Browser
  /** The browser's profile of this test. */
  readonly context: BrowserContext
  readonly problems: Problems
  readonly partsList: Uint8Array
  /** Closes the tabs of the last test, and begins with an empty profile and a whole cable. */
  fresh(): Promise<void>
  /** Opens the page of the twin in a new tab. */
  openPage(): Promise<Page>
  /** Opens a tab for a URL. */
  openTab(url?: string): Promise<Page>
  /** Expects no errors; those that the browser logs of a cut network only if the test cut it. */
  expectClean(network?: 'cut'): void
  close(): Promise<void>
}

/** Runs tests in each browser, and skips them where it is not installed. The title has its name in the place of %s. */
export function inEachBrowser(title: string, tests: (name: BrowserName) => void): void {
  for (const name of browserNames) describe.runIf(installed(name))(title.replace('%s', name), () => tests(name))
}

/** The folder of the files to import. */
export const testdata = join(import.meta.dirname, '../../../testdata')

export async function openWorld(name: BrowserName, twinArgs: readonly string[] = []): Promise<World> {
  const cable = await layCable()
  const [twin, browser] = await Promise.all([startTwin(twinArgs), launch(name, cable)])
  let context: BrowserContext | undefined
  let problems: Problems = { errors: [], network: [] }
  const world: World = {
    twin, cable, browser,
    partsList: readFileSync(join(testdata, 'parts-list.csv')),
    get context() { return context! },
    get problems() { return problems },
    async fresh() {
      await context?.close()
      cable.mend()
      cable.bytesPerSecond = Infinity
      cable.handshakes.length = 0
      problems = { errors: [], network: [] }
      context = await browser.createBrowserContext()
    },
    openPage: () => world.openTab(twin.pageUrl),
    async openTab(url) {
      const page = await openTab(context!, problems)
      if (url) await page.goto(url)
      return page
    },
    expectClean(network) {
      expect(problems.errors).toEqual([])
      if (network !== 'cut') expect(problems.network).toEqual([])
    },
    async close() {
      await browser.close()
      await Promise.all([twin.stop(), cable.close()])
    },
  }
  return world
}

/** Waits until what is looked at is as it should be, and returns it. It fails with what was seen last. */
export async function waitFor<T>(what: string, look: () => Promise<T> | T, isRight: (seen: T) => unknown, timeout = 15_000): Promise<T> {
  const end = Date.now() + timeout
  for (;;) {
    const seen = await look()
    if (isRight(seen)) return seen
    if (Date.now() > end) throw new Error(`waited ${timeout} ms for ${what}; last seen: ${JSON.stringify(seen)}`)
    await pause(50)
  }
}
