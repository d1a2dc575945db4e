import { button, el, setAttribute, setText } from './dom.ts'
import type { Connection } from './words.ts'

/** Where files are chosen or dropped. It also says what is wrong with the connection: its place is always there. */
export interface DropZone {
  readonly element: HTMLElement
  show(connection: Connection): void
  /** Lets a person choose one file, and calls back with it. */
  chooseOne(chosen: (file: File) => void): void
}

/** Returns the place for files. Add gets what a person drops or chooses, act what a button does about the connection. */
export function newDropZone(add: (files: File[]) => void, act: (action: NonNullable<Connection['action']>) => void): DropZone {
  const input = el('input', { type: 'file', multiple: true, accept: '.csv,.tsv,.txt,text/csv', hidden: true, tabindex: '-1' })
  const single = el('input', { type: 'file', accept: '.csv,.tsv,.txt,text/csv', hidden: true, tabindex: '-1' })
  let chosen: ((file: File) => void) | undefined
  input.addEventListener('change', () => {
    add([...input.files ?? []])
    input.value = ''
  })
  single.addEventListener('change', () => {
    const file = single.files?.[0]
    single.value = ''
    if (file) chosen?.(file)
  })
  const title = el('p', {}, el('span', { class: 'pointer' }, el('b', {}, 'Drop parts lists here'), ', or '), button('choose files', '', () => input.click(), 'link'))
  const hint = el('small', {}, 'CSV files up to 1 GB. Once a file is uploaded, its import goes on without this tab.')
  const notice = el('p', { class: 'notice', hidden: true })
  let action: Connection['action']
  const way = button('', '', () => action && act(action), 'primary')
  way.hidden = true
  return {
    element: el('div', { class: 'drop' }, title, hint, notice, way, input, single),
    show(connection) {
      action = connection.action
      setText(notice, connection.notice ?? '')
      notice.hidden = !connection.notice
      hint.hidden = title.hidden = !!connection.notice
      const hadFocus = document.activeElement === way
      way.hidden = !action
      setText(way, action === 'signIn' ? 'Sign in again' : action === 'reconnect' ? 'Connect again' : '')
      if (hadFocus && way.hidden) title.querySelector('button')?.focus()
    },
    chooseOne(callback) {
      chosen = callback
      single.click()
    },
  }
}

/** Calls back with files that are dropped anywhere on the page, and the element under the pointer. */
export function catchDrops(dropped: (files: File[], target: EventTarget | null) => void): void {
  let leave: ReturnType<typeof setTimeout> | undefined
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false
  const mark = (pane: Element | null) => {
    for (const other of document.querySelectorAll('.pane')) setAttribute(other, 'data-over', other === pane)
  }
  document.addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    mark((event.target as Element | null)?.closest?.('.pane') ?? document.querySelector('.pane'))
    clearTimeout(leave)
    leave = setTimeout(() => mark(null), 300) // the events stop when the pointer leaves the window
  })
  document.addEventListener('drop', (event) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    mark(null)
    dropped([...event.dataTransfer?.files ?? []], event.target)
  })
}
