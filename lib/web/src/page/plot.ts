import { el, setAttribute, setText, svg } from './dom.ts'
import { rate } from './numbers.ts'
import { linePath, type Sample } from './samples.ts'

const width = 300
const height = 70

/** A plot of rows per second. */
export interface Plot {
  readonly element: HTMLElement
  update(samples: readonly Sample[], running: boolean): void
}

/** Returns an empty plot. */
export function newPlot(): Plot {
  const fill = svg('path', { class: 'fill' })
  const line = svg('path', { class: 'line', 'vector-effect': 'non-scaling-stroke' })
  const picture = svg('svg', { viewBox: `0 -2 ${width} ${height + 2}`, preserveAspectRatio: 'none', role: 'img' }, fill, line)
  const highest = el('span', { class: 'soft' })
  const empty = el('p', { class: 'soft empty' }, '')
  return {
    element: el('div', { class: 'plot' }, el('h4', {}, 'Rows per second', highest), picture, empty),
    update(samples, running) {
      const shown = samples.length >= 2
      setAttribute(picture, 'hidden', !shown)
      empty.hidden = shown
      setText(empty, running ? 'No rows yet' : 'Not measured here, or too quick to measure')
      if (!shown) return
      const path = linePath(samples, width, height)
      setAttribute(line, 'd', path)
      setAttribute(fill, 'd', `${path} ${width},${height} 0,${height}Z`)
      const most = rate(Math.max(...samples.map(({ value }) => value)))
      setText(highest, `highest ${most}`)
      setAttribute(picture, 'aria-label', `Rows per second: last ${rate(samples.at(-1)!.value)}, highest ${most}`)
    },
  }
}
