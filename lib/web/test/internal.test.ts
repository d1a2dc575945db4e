import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { internal } from '../internal.mjs'

test('no property that the build renames is in the interface or in a frame', () => {
  const text = ['../src/client/api.ts', '../src/wire.ts'].map((file) => readFileSync(new URL(file, import.meta.url), 'utf8')).join('\n')
  const properties = [...text.matchAll(/^ +(?:readonly )?(\w+)\??[:(<]/gm)].map(([, name]) => name!)
  expect(properties.length).toBeGreaterThan(50)
  expect(internal.filter((name) => properties.includes(name))).toEqual([])
})

test('nor is one in what tabs send each other', () => {
  for (const name of ['jobs', 'notes', 'shown', 'seen', 'job', 'id', 'epoch', 'seq', 'local', 'state', 'since']) expect(internal).not.toContain(name)
})
