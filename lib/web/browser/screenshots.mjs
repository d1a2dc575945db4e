// Takes pictures of the page in every scene into browser/screenshots, and checks each with axe-core. It fails if axe-core
// finds something, or if the browser logs an error.
//
//   node browser/screenshots.mjs [SCENE…] [--readme]     --readme also writes the pictures of the README
import { createServer } from 'node:http'
import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import puppeteer from 'puppeteer-core'

const here = dirname(fileURLToPath(import.meta.url))
const web = join(here, '..')
const output = join(here, 'screenshots')
const looks = [
  { name: 'light', width: 1000, height: 900, scheme: 'light' },
  { name: 'dark', width: 1000, height: 900, scheme: 'dark' },
  { name: 'phone', width: 390, height: 844, scheme: 'light', mobile: true },
]
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"

async function serve() {
  const { outputFiles } = await build({ entryPoints: [join(here, 'scenes/stage.ts')], bundle: true, format: 'esm', write: false })
  const files = {
    '/': ['text/html', await readFile(join(web, 'src/page/index.html'), 'utf8')],
    '/page.js': ['text/javascript', outputFiles[0].text],
    '/page.css': ['text/css', await readFile(join(web, 'src/page/page.css'), 'utf8')],
    '/icon.svg': ['image/svg+xml', await readFile(join(web, 'src/page/icon.svg'), 'utf8')],
  }
  const server = createServer((request, response) => {
    const file = files[request.url]
    response.writeHead(file ? 200 : 404, { 'Content-Type': file?.[0] ?? 'text/plain', 'Content-Security-Policy': policy })
    response.end(file?.[1])
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() }
}

/** Opens a scene in a new tab. */
async function open(browser, url, scene, { width, height, scheme, mobile = false }, problems) {
  const page = await browser.newPage()
  page.on('console', (message) => message.type() === 'error' && problems.push(`${scene}: ${message.text()}`))
  page.on('pageerror', (error) => problems.push(`${scene}: ${error.message}`))
  await page.setViewport({ width, height, deviceScaleFactor: mobile ? 2 : 1, isMobile: mobile, hasTouch: mobile })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }])
  await page.emulateTimezone('UTC')
  await page.goto(url)
  await page.evaluate((name) => window.stage.show(name), scene)
  await new Promise((resolve) => setTimeout(resolve, 100))
  return page
}

async function main() {
  const args = process.argv.slice(2)
  const chosen = args.filter((name) => !name.startsWith('--'))
  const axe = await readFile(join(web, 'node_modules/axe-core/axe.min.js'), 'utf8')
  const server = await serve()
  const browser = await puppeteer.launch({ browser: 'chrome', executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--hide-scrollbars'] })
  const problems = []
  try {
    await mkdir(output, { recursive: true })
    const first = await browser.newPage()
    await first.goto(server.url)
    const names = await first.evaluate(() => window.stage.names)
    for (const scene of chosen.length > 0 ? chosen : names) {
      for (const look of looks) {
        const page = await open(browser, server.url, scene, look, problems)
        await page.screenshot({ path: join(output, `${scene}-${look.name}.png`), fullPage: scene !== 'many' && scene !== 'history' })
        await check(page, axe, `${scene}-${look.name}`, problems)
        await page.close()
      }
    }
    if (args.includes('--readme')) {
      for (const scheme of ['light', 'dark']) {
        const page = await open(browser, server.url, 'running', { width: 860, height: 800, scheme }, problems)
        const height = await page.evaluate(() => Math.ceil(document.querySelector('.now').getBoundingClientRect().bottom) + 12)
        await page.screenshot({ path: join(web, `../../testdata/page-${scheme}.png`), clip: { x: 0, y: 0, width: 860, height } })
        await page.close()
      }
    }
  } finally {
    await browser.close()
    server.close()
  }
  for (const problem of problems) console.error(problem)
  if (problems.length > 0) process.exitCode = 1
}

/** Runs axe-core, and checks that nothing is wider than the window. */
async function check(page, axe, name, problems) {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => window.axe.run())
  for (const { id, help, nodes } of violations) problems.push(`${name}: ${id}: ${help}: ${nodes.map(({ target }) => target).join(', ')}`)
  const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  if (excess > 0) problems.push(`${name}: ${excess} pixels wider than the window`)
}

await main()
