// @vitest-environment happy-dom
import { expect, test } from 'vitest'
import { importParts, newBar, onePart, wholeShare } from './bar.ts'
import { percent } from './numbers.ts'

const shares = (phase: string, progress: number) => importParts({ phase, progress }).map(({ share }) => Math.round(share * 100))

test('an import has four parts, and a phase fills its own', () => {
  expect(shares('upload', 8)).toEqual([40, 0, 0, 0])
  expect(shares('read', 2.5)).toEqual([100, 50, 0, 0])
  expect(shares('parse', 50)).toEqual([100, 100, 50, 0])
  expect(shares('finish', 97.5)).toEqual([100, 100, 100, 50])
})

test('without a phase the progress says which part it is: a failed job has none', () => {
  expect(shares('', 3)).toEqual([100, 60, 0, 0])
  expect(shares('', 50)).toEqual([100, 100, 50, 0])
  expect(shares('', 99)).toEqual([100, 100, 100, 80])
})

test('a progress outside of its phase is cut', () => {
  expect(shares('parse', 2)).toEqual([100, 100, 0, 0])
  expect(shares('parse', 99)).toEqual([100, 100, 100, 0])
})

test('the whole never falls from the first byte to the last row', () => {
  const steps: [string, number][] = [['upload', 0], ['upload', 20], ['read', 0], ['read', 5], ['parse', 5], ['parse', 60], ['parse', 95], ['finish', 95], ['finish', 100]]
  const whole = steps.map(([phase, progress]) => percent(wholeShare(importParts({ phase, progress }))))
  expect(whole).toEqual([...whole].sort((a, b) => a - b))
  expect([whole[0], whole.at(-1)]).toEqual([0, 100])
})

test('rows say more than a progress that is still that of the upload', () => {
  expect(importParts({ phase: 'parse', progress: 20, currentRow: 1, totalRows: 10 })[2]!.share).toBe(0.1)
  expect(importParts({ phase: 'read', progress: 20 })[1]!.share).toBe(0.5)
})

test('a job that is no import has one part', () => {
  expect(onePart(42)).toEqual([{ name: 'job', weight: 100, share: 0.42 }])
})

test('the bar has a role, a value and its value as text', () => {
  const bar = newBar()
  bar.update('a.csv', importParts({ phase: 'parse', progress: 50 }), 60, '60 %, Importing', 'running')
  const { element } = bar
  expect(element.getAttribute('role')).toBe('progressbar')
  expect(['aria-label', 'aria-valuemin', 'aria-valuemax', 'aria-valuenow', 'aria-valuetext'].map((name) => element.getAttribute(name)))
    .toEqual(['a.csv', '0', '100', '60', '60 %, Importing'])
  expect(element.children.length).toBe(4)
  bar.update('a.csv', onePart(10), 10, '10 %', 'running')
  expect(element.children.length).toBe(1)
})
