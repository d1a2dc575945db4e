import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { installed } from './browsers.ts'

test.runIf(installed('chrome'))('pictures are taken of the page in light, in the dark, on a phone, with a failed import, and offline', { timeout: 180_000 }, async () => {
  const start = Date.now()
  await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'screenshots.mjs'), 'running', 'failed', 'offline', 'uploads'], { timeout: 170_000 }) // it fails on errors
  for (const name of ['running-light', 'running-dark', 'running-phone', 'failed-light', 'offline-light']) {
    const { size, mtimeMs } = statSync(join(import.meta.dirname, `screenshots/${name}.png`))
    expect(size, name).toBeGreaterThan(10_000)
    expect(mtimeMs, name).toBeGreaterThanOrEqual(start - 2000)
  }
})
