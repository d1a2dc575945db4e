import type { Job } from '../client/index.ts'
import { button, el, setText } from './dom.ts'
import { newResultLink } from './result.ts'
import { type Row, type Rows, showList } from './list.ts'
import { duration, whenWas } from './numbers.ts'
import { endOf, rejectedOf, shortName } from './words.ts'

const day = 24 * 60 * 60 * 1000
const firstShown = 20
const longName = 60

/** The jobs that ended in the last day and are not shown as cards, the newest first. */
export function pastJobs(jobs: readonly Job[], now: number, shownAsCards: ReadonlySet<string>): Job[] {
  return jobs.filter((job) => job.terminal && now - job.updatedAt < day && !shownAsCards.has(job.id)).sort((a, b) => b.updatedAt - a.updatedAt)
}

/** The list of what ended, one line for each job. */
export interface History {
  readonly element: HTMLElement
  update(jobs: readonly Job[]): void
}

/** Returns the list of ended jobs. RejectedURL returns where the rejected rows of a job are, if it is known. GetResult downloads its result. */
export function newHistory(rejectedURL: (job: string) => string | undefined, getResult: (job: string) => Promise<void>): History {
  const list = el('ul', { class: 'history' })
  const heading = el('h2', { tabindex: '-1' }, 'Last 24 hours')
  const more = button('', '', () => {
    all = true
    update(jobs)
    rows.get(jobs[firstShown]?.id ?? '')?.element.querySelector<HTMLElement>('a, button')?.focus()
  }, 'more')
  const element = el('section', { class: 'past', hidden: true }, heading, list, more)
  const rows: Rows<Job> = new Map()
  let all = false
  let jobs: readonly Job[] = []
  const update = (next: readonly Job[]) => {
    jobs = next
    element.hidden = jobs.length === 0
    const shown = all ? jobs : jobs.slice(0, firstShown)
    showList(list, rows, shown, (job) => job.id, (job) => newLine(job, rejectedURL, getResult), heading)
    more.hidden = shown.length === jobs.length
    setText(more, `Show all ${jobs.length}`)
  }
  return { element, update }
}

const marks: Record<string, [mark: string, words: string]> = { succeeded: ['✓', 'Succeeded'], cancelled: ['×', 'Cancelled'], failed: ['!', 'Failed'] }

function newLine(first: Job, rejectedURL: (job: string) => string | undefined, getResult: (job: string) => Promise<void>): Row<Job> {
  let shown: Job | undefined
  const mark = el('span', { class: 'mark', 'aria-hidden': 'true' })
  const how = el('span', { class: 'unseen' })
  const name = el('bdi', {})
  const text = el('span')
  const why = el('span', { class: 'bad' })
  const result = newResultLink(getResult, (reason) => setText(why, reason && ` ${reason}`), 'link')
  const sum = el('span', { class: 'sum' }, text, ' ', result.element, why)
  const when = el('span', { class: 'when soft' })
  const element = el('li', {}, mark, el('span', { class: 'name', title: first.title }, how, name), sum, when)
  return {
    element,
    update(job) {
      if (job === shown) return
      shown = job
      const [sign, words] = marks[job.status] ?? marks.failed!
      setText(mark, sign)
      setText(how, `${words}: `)
      setText(name, shortName(job.title, longName))
      element.setAttribute('data-status', job.status)
      const rejected = rejectedOf(job)
      const url = rejected && job.status === 'succeeded' && !job.result && rejectedURL(job.id)
      result.update(job)
      text.replaceChildren(endOf(job), ...(rejected ? [', ', url
        ? el('a', { href: url, download: '', 'aria-label': `Download ${rejected} rows of ${job.title}` }, rejected)
        : rejected] : []))
      const took = job.updatedAt - Date.parse(job.epoch.split('#')[0]!)
      when.replaceChildren(el('span', {}, whenWas(job.updatedAt, Date.now())), ...(took > 0 ? [el('span', {}, duration(took))] : []))
    },
  }
}
