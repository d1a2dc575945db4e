import { accessSync, constants } from 'node:fs'
import puppeteer, { type Browser, type BrowserContext, type Page } from 'puppeteer-core'
import type { Cable } from './cable.ts'
import { preload } from './preload.ts'

export type BrowserName = 'chrome' | 'firefox'

const paths = { chrome: process.env.CHROMIUM ?? '/usr/bin/chromium', firefox: process.env.FIREFOX ?? '/usr/bin/firefox-esr' }

export function installed(name: BrowserName): boolean {
  try {
    accessSync(paths[name], constants.X_OK)
    return true
  } catch {
    return false
  }
}

export const browserNames = ['chrome', 'firefox'] as const

/** Starts a browser all of whose traffic goes through the cable, that of this machine's addresses, too. */
export function launch(name: BrowserName, cable?: Cable, args: readonly string[] = []): Promise<Browser> {
  const options = { browser: name, executablePath: paths[name], protocolTimeout: 60_000 }
  if (name === 'chrome') {
    const proxy = cable ? [`--proxy-server=127.0.0.1:${cable.port}`, '--proxy-bypass-list=<-loopback>'] : []
    return puppeteer.launch({ ...options, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', ...proxy, ...args] })
  }
  const proxy = cable ? {
    'network.proxy.type': 1, 'network.proxy.no_proxies_on': '', 'network.proxy.allow_hijacking_localhost': true,
    'network.proxy.http': '127.0.0.1', 'network.proxy.http_port': cable.port,
    'network.proxy.ssl': '127.0.0.1', 'network.proxy.ssl_port': cable.port,
    'network.proxy.failover_direct': false,
  } : {}
  return puppeteer.launch({ ...options, extraPrefsFirefox: proxy })
}

/** What a page must not do. Errors of the network, which the browser logs by itself, are apart. */
export interface Problems {
  errors: string[]
  network: string[]
}

// How Chromium and Firefox begin what they log of requests and connections that failed.
const ofNetwork = /^(Failed to load resource|WebSocket connection to|Access to|Firefox can’t establish a connection|The connection to \S+ was interrupted|Cross-Origin Request Blocked.*did not succeed)/

/** Opens a tab that collects its errors and has the window's `probe`. */
export async function openTab(context: Browser | BrowserContext, problems: Problems): Promise<Page> {
  const page = await context.newPage()
  const add = (text: string, url = '') => problems[ofNetwork.test(text) ? 'network' : 'errors'].push(`${text} ${url}`)
  page.on('pageerror', (error) => add(error instanceof Error ? error.message : String(error)))
  page.on('console', (message) => message.type() === 'error' && add(message.text(), message.location().url))
  await page.evaluateOnNewDocument(preload)
  return page
}
