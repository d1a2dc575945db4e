import { el, setAttribute, setText } from './dom.ts'
import { duration } from './numbers.ts'
import { type Rows, showList } from './list.ts'

/** What an execution went through, as the twin answers it. Times are in milliseconds since 1970. */
export interface Execution {
  status: string
  start: number
  end?: number
  states: ExecutionState[]
}

/** A state that an execution entered. Done and total count the iterations of a Map. */
export interface ExecutionState {
  name: string
  type: string
  status: 'running' | 'succeeded' | 'failed'
  start: number
  end?: number
  done?: number
  total?: number
}

const pollMs = 1000

/** A timeline of the states of a job's execution. It asks for them while it is open and the job runs. */
export interface Timeline {
  readonly element: HTMLElement
  open(isOpen: boolean): void
  /** Called when the job has changed. */
  update(running: boolean): void
  /** Called when another run of the job has begun: then its execution is another one, or goes on. */
  restart(): void
  remove(): void
}

/** A state's name in words: "NotifyStarted" is "Notify started". */
export function stateName({ name, done = 0, total = 0 }: Pick<ExecutionState, 'name' | 'done' | 'total'>): string {
  const words = name.replace(/([a-z\d])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`).replace(/[_-]+/g, ' ')
  return total > 1 ? `${words} ${done} of ${total}` : words
}

/** Returns a timeline. Load asks for the execution, and returns nothing if there is none. */
export function newTimeline(load: () => Promise<Execution | undefined>): Timeline {
  const list = el('ol', { class: 'states' })
  const empty = el('p', { class: 'soft empty' }, 'Shown when the workflow has started.')
  const element = el('div', { class: 'timeline' }, el('h4', {}, 'Workflow'), list, empty)
  const rows: Rows<ExecutionState> = new Map()
  let timer: ReturnType<typeof setTimeout> | undefined
  let isOpen = false
  let running = true
  let complete = false

  const show = (execution: Execution) => {
    const end = execution.end ?? Date.now()
    const span = Math.max(end - execution.start, 1)
    empty.hidden = true
    complete = execution.end !== undefined
    const shown = execution.states.filter(({ type }) => type !== 'Choice' && type !== 'Pass' && type !== 'Succeed' && type !== 'Fail')
    showList(list, rows, shown, (state) => `${state.name} ${state.start}`, newState)
    shown.forEach((state) => {
      const bar = rows.get(`${state.name} ${state.start}`)!.element.querySelector('i')!
      const left = Math.min(99, (state.start - execution.start) / span * 100)
      bar.style.setProperty('--left', `${left.toFixed(2)}%`)
      bar.style.setProperty('--width', `${Math.max(1, ((state.end ?? end) - state.start) / span * 100).toFixed(2)}%`)
    })
  }
  const poll = async () => {
    timer = undefined
    const execution = await load().catch(() => undefined)
    if (execution) show(execution)
    if (isOpen && (running || execution && !complete)) timer ??= setTimeout(poll, pollMs)
  }
  return {
    element,
    open(value) {
      isOpen = value
      clearTimeout(timer)
      timer = undefined
      if (isOpen && !complete) void poll()
    },
    update(value) {
      running = value
      if (isOpen && !complete) timer ??= setTimeout(poll, pollMs)
    },
    restart() {
      complete = false
    },
    remove() {
      isOpen = false
      clearTimeout(timer)
    },
  }
}

function newState() {
  const name = el('span', { class: 'state' })
  const time = el('span', { class: 'soft' })
  const element = el('li', {}, name, el('span', { class: 'track', 'aria-hidden': 'true' }, el('i')), time)
  return {
    element,
    update(state: ExecutionState) {
      setText(name, stateName(state))
      setText(time, state.end ? duration(state.end - state.start) : state.status)
      setAttribute(element, 'data-status', state.status)
      setAttribute(time, 'aria-label', `${state.status}${state.end ? ` in ${duration(state.end - state.start)}` : ''}`)
    },
  }
}
