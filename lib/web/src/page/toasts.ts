import type { Note } from '../client/index.ts'
import { button, el, setAttribute, setText } from './dom.ts'
import { type Row, type Rows, showList } from './list.ts'
import { whenWas } from './numbers.ts'

/** How long a toast is shown, in milliseconds, unless the pointer or the focus is on it. The note stays among the notes. */
const shownFor = 8000
const mostToasts = 3

/** Notes as they come, in the corner of the page. An error stays until a person closes it. */
export interface Toasts {
  readonly element: HTMLElement
  /** Shows those of the notes that are new since the first call with live, and that no card says already. */
  update(notes: readonly Note[], live: boolean, cards: ReadonlySet<string>): void
  remove(): void
}

/** Returns the toasts. Say speaks to a screen reader. */
export function newToasts(dismiss: (id: string) => void, say: (text: string) => void): Toasts {
  const element = el('ul', { class: 'toasts', 'aria-label': 'New notes' })
  const rows: Rows<Note> = new Map()
  const timers = new Map<string, ReturnType<typeof setTimeout>>()
  let known: Set<string> | undefined // the notes that were there before, or have had their toast
  let shown: string[] = []
  let notes: readonly Note[] = []

  const hide = (id: string) => {
    clearTimeout(timers.get(id))
    timers.delete(id)
    shown = shown.filter((other) => other !== id)
    render()
  }
  const start = (note: Note) => {
    clearTimeout(timers.get(note.id))
    if (note.severity !== 'error') timers.set(note.id, setTimeout(() => hide(note.id), shownFor))
  }
  const create = (note: Note): Row<Note> => {
    const row = newNote(note, dismiss)
    const stop = () => clearTimeout(timers.get(note.id))
    for (const event of ['pointerenter', 'focusin']) row.element.addEventListener(event, stop)
    for (const event of ['pointerleave', 'focusout']) row.element.addEventListener(event, () => shown.includes(note.id) && start(note))
    return row
  }
  const render = () => {
    showList(element, rows, notes.filter(({ id }) => shown.includes(id)), ({ id }) => id, create)
    element.hidden = shown.length === 0
  }
  return {
    element,
    update(next, live, cards) {
      notes = next
      if (!known) {
        if (live) known = new Set(notes.map(({ id }) => id))
        render()
        return
      }
      const fresh = notes.filter(({ id }) => !known!.has(id))
      for (const { id } of fresh) known.add(id)
      const news = fresh.filter((note) => !cards.has(jobOf(note)))
      for (const note of news) say(`${titleOf(note)}: ${note.message}`)
      shown = [...news.map(({ id }) => id), ...shown].filter((id) => notes.some((note) => note.id === id))
      for (const id of shown.slice(mostToasts)) clearTimeout(timers.get(id))
      shown = shown.slice(0, mostToasts)
      for (const note of news) if (shown.includes(note.id)) start(note)
      render()
    },
    remove: () => timers.forEach((timer) => clearTimeout(timer)),
  }
}

/** All notes that are not dismissed, behind a button. */
export interface Tray {
  readonly button: HTMLElement
  readonly panel: HTMLElement
  update(notes: readonly Note[]): void
}

/** Returns the closed list of notes. */
export function newTray(dismiss: (id: string) => void): Tray {
  const id = `notes-${trays++}`
  const number = el('span', { class: 'number' })
  const opener = button('', '', () => toggle(!!panel.hidden), 'notes')
  opener.append('Notes ', number)
  setAttribute(opener, 'aria-controls', id)
  const list = el('ul', { tabindex: '0', 'aria-label': 'Notes' })
  const none = el('p', { class: 'soft' }, 'No notes. What happens while you are away is here when you come back.')
  const all = button('Dismiss all', '', () => {
    for (const note of notes) dismiss(note.id)
    opener.focus()
    toggle(false)
  }, 'quiet')
  const panel = el('section', { id, class: 'tray', 'aria-label': 'Notes', tabindex: '-1', hidden: true, keydown: (event) => {
    if ((event as KeyboardEvent).key !== 'Escape') return
    toggle(false)
    opener.focus()
  } }, list, none, all)
  const rows: Rows<Note> = new Map()
  let notes: readonly Note[] = []
  const toggle = (open: boolean) => {
    panel.hidden = !open
    setAttribute(opener, 'aria-expanded', String(open))
    if (!open) return
    render()
    ;(notes.length > 0 ? list : panel).focus()
  }
  const render = () => showList(list, rows, notes, (note) => note.id, (note) => newNote(note, dismiss), opener)
  toggle(false)
  document.addEventListener('pointerdown', ({ target }) => {
    if (!panel.hidden && target instanceof Node && !panel.contains(target) && !opener.contains(target)) toggle(false)
  })
  return {
    button: opener,
    panel,
    update(next) {
      notes = next
      setText(number, notes.length > 0 ? String(notes.length) : '')
      number.hidden = notes.length === 0
      setAttribute(opener, 'aria-label', notes.length > 0 ? `Notes, ${notes.length}` : 'Notes, none')
      list.hidden = all.hidden = notes.length === 0
      none.hidden = notes.length > 0
      if (!panel.hidden) render()
    },
  }
}

let trays = 0

/** Returns a link for a note's action, if a page may open it: https, http or a path of this site. */
function actionLink({ actionUrl }: Note): HTMLAnchorElement | undefined {
  if (!actionUrl || !/^(https?:\/\/|\/(?![/\\]))/i.test(actionUrl)) return undefined
  return el('a', { href: actionUrl, rel: 'noopener noreferrer' }, 'Open')
}

function newNote(note: Note, dismiss: (id: string) => void): Row<Note> {
  const link = actionLink(note)
  const title = titleOf(note)
  const element = el('li', { class: 'note', 'data-severity': note.severity },
    el('div', {}, el('strong', {}, el('bdi', {}, title)), el('p', {}, note.message), el('span', { class: 'soft' }, whenWas(note.at, Date.now()), ...(link ? [' · ', link] : []))),
    button('×', `Dismiss ${title}`, () => dismiss(note.id), 'quiet'))
  return { element, update() {} }
}

/** The job that an error is about, if it says so. */
function jobOf({ details }: Note): string {
  const { uploadId, jobId } = (details ?? {}) as { uploadId?: unknown; jobId?: unknown }
  const id = uploadId ?? jobId
  return typeof id === 'string' ? id : ''
}

/** The title of a note. That of an error is the file that it is about, rather than its code, which is for programs. */
function titleOf(note: Note): string {
  if (note.type !== 'error') return note.title
  const name = (note.details as { fileName?: unknown } | undefined)?.fileName
  return typeof name === 'string' ? `${name} was not imported` : 'Something went wrong'
}
