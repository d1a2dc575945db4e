import type { Job } from '../client/index.ts'
import type { Step } from '../wire.ts'
import { el, setAttribute, setText } from './dom.ts'
import { type Row, type Rows, showList } from './list.ts'
import { whenBegan } from './numbers.ts'
import { shortName } from './words.ts'

/** What the steps of a job are shown as. */
type StepState = 'running' | 'succeeded' | 'failed' | 'cancelled'

const marks: Record<StepState, string> = { running: '●', succeeded: '✓', failed: '!', cancelled: '×' }
const words: Record<StepState, string> = { running: 'running', succeeded: 'done', failed: 'failed', cancelled: 'cancelled' }
const longName = 80

/** Returns what has become of a step. One that still runs when its job ends has ended with the job. */
export function stepState(step: Step, job: Pick<Job, 'status' | 'terminal'>): StepState {
  if (step.status === 'succeeded' || step.status === 'failed') return step.status
  return job.terminal ? job.status as StepState : 'running'
}

/** The steps that a job went through, as a list. */
export interface StepList {
  readonly element: HTMLElement
  update(job: Job): void
}

interface ShownStep {
  key: string
  name: string
  state: StepState
  at: string
}

/** Returns an empty list of steps. */
export function newStepList(): StepList {
  const list = el('ol', { class: 'steps' })
  const rows: Rows<ShownStep> = new Map()
  return {
    element: el('div', {}, el('h4', {}, 'Steps'), list),
    update(job) {
      const count = new Map<string, number>() // a step may be done several times
      const shown = (job.steps ?? []).map((step): ShownStep => {
        const id = `${step.name} ${step.at ?? ''}`
        count.set(id, (count.get(id) ?? 0) + 1)
        return { key: `${id} ${count.get(id)}`, name: step.title || step.name, state: stepState(step, job), at: step.at ?? '' }
      })
      showList(list, rows, shown, ({ key }) => key, newStep)
    },
  }
}

function newStep(): Row<ShownStep> {
  const mark = el('span', { class: 'mark', 'aria-hidden': 'true' })
  const name = el('bdi')
  const state = el('span', { class: 'unseen' })
  const time = el('time', { class: 'soft' })
  const element = el('li', {}, mark, el('span', { class: 'state' }, name, state), time)
  return {
    element,
    update(step) {
      setAttribute(element, 'data-status', step.state)
      setText(mark, marks[step.state])
      setText(name, shortName(step.name, longName))
      setText(state, `, ${words[step.state]}`)
      const at = Date.parse(step.at)
      setText(time, at ? whenBegan(at, Date.now()) : '')
      setAttribute(time, 'datetime', at ? step.at : false)
    },
  }
}
