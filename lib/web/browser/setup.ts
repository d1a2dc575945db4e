// Builds what the tests run, once: the twin, and the twin of the tests, which makes tokens and shows the feed.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { browserNames, installed } from './browsers.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder with the programs local and browsertwin. */
    programs: string
  }
}

export default function setup(project: TestProject) {
  const missing = browserNames.filter((name) => !installed(name))
  if (missing.length > 0) {
    const text = `Not installed: ${missing.join(', ')}. Install Chromium and Firefox, or set CHROMIUM and FIREFOX.`
    if (process.env.CI) throw new Error(text)
    console.warn(`${text} The tests in these browsers are skipped.`)
  }
  const programs = mkdtempSync(join(tmpdir(), 'herald-browser-'))
  const root = join(import.meta.dirname, '../../..')
  execFileSync('go', ['build', '-o', programs, './cdkapp/local', './lib/local/browsertwin'], { cwd: root, stdio: 'inherit' })
  project.provide('programs', programs)
  return () => rmSync(programs, { recursive: true })
}
