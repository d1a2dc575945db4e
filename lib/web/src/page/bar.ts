import { uploadPercent } from '../uploads/upload.ts'
import { el, setAttribute } from './dom.ts'

/** One part of a bar: its width among the others, and how much of it is done, from 0 to 1. */
export interface Part {
  name: string
  weight: number
  share: number
}

// The phases of an import: their part of the bar, and the part of the job's progress that they cover. The progress of an upload
// is that of its browser, until the server's own begins at zero.
const phases = [
  { name: 'upload', phase: 'upload', weight: uploadPercent, from: 0, to: uploadPercent },
  { name: 'plan', phase: 'read', weight: 6, from: 0, to: 5 },
  { name: 'import', phase: 'parse', weight: 68, from: 5, to: 95 },
  { name: 'save', phase: 'finish', weight: 6, from: 95, to: 100 },
]

/** Whether a job's phase is one of an import, whose bar has four parts. */
export function isImport(phase: string): boolean {
  return phases.some((p) => p.phase === phase)
}

/** What the parts of an import are worked out from. */
export interface ImportState {
  readonly phase: string
  readonly progress: number
  readonly currentRow?: number
  readonly totalRows?: number
}

/**
 * Returns the four parts of an import. Rows say more than the progress, which stays at that of the upload in the browser that
 * sent the file until the server's is greater. A phase that is not known leaves the parts to the progress.
 */
export function importParts({ phase, progress, currentRow = 0, totalRows = 0 }: ImportState): Part[] {
  let current = phases.findIndex((p) => p.phase === phase)
  if (current < 0) current = progress > 95 ? 3 : progress > 5 ? 2 : 1
  const { from, to } = phases[current]!
  let share = (progress - from) / (to - from)
  if (phase === 'parse' && totalRows > 0) share = currentRow / totalRows
  if (phase === 'read' && share > 1) share = 0.5 // somewhere in it
  share = Math.min(1, Math.max(0, share))
  return phases.map(({ name, weight }, i) => ({ name, weight, share: i < current ? 1 : i > current ? 0 : share }))
}

/** Returns the one part of a job that is no import. */
export function onePart(progress: number): Part[] {
  return [{ name: 'job', weight: 100, share: Math.min(1, Math.max(0, progress / 100)) }]
}

/** Returns how much of the whole is done, from 0 to 1. */
export function wholeShare(parts: readonly Part[]): number {
  const total = parts.reduce((sum, part) => sum + part.weight, 0)
  return parts.reduce((sum, part) => sum + part.weight * part.share, 0) / total
}

/** A progress bar in parts. Its value is announced as text by screen readers that are asked for it. */
export interface Bar {
  readonly element: HTMLElement
  update(label: string, parts: readonly Part[], percent: number, valueText: string, kind: string): void
}

/** Returns an empty bar. */
export function newBar(): Bar {
  const element = el('div', { class: 'bar', role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100' })
  return {
    element,
    update(label, parts, percent, valueText, kind) {
      setAttribute(element, 'aria-label', label)
      while (element.children.length > parts.length) element.lastElementChild!.remove()
      while (element.children.length < parts.length) element.append(el('span', {}, el('i')))
      parts.forEach((part, i) => {
        const span = element.children[i] as HTMLElement
        span.style.setProperty('--weight', String(part.weight))
        span.style.setProperty('--share', `${(part.share * 100).toFixed(2)}%`)
        setAttribute(span, 'data-current', part.share > 0 && part.share < 1)
      })
      setAttribute(element, 'data-kind', kind)
      setAttribute(element, 'aria-valuenow', String(percent))
      setAttribute(element, 'aria-valuetext', valueText)
    },
  }
}
