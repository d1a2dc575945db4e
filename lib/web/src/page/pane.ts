import type { Herald, Job } from '../client/index.ts'
import type { Announcer } from './announce.ts'
import { newNarrator } from './announce.ts'
import { newBadge } from './badge.ts'
import { isImport } from './bar.ts'
import { chooseCards, newShown } from './cards.ts'
import { button, el, setAttribute, setText } from './dom.ts'
import { newDropZone } from './drop.ts'
import { newHistory, pastJobs } from './history.ts'
import { adviceForDownload, download } from './result.ts'
import { mayStall, newSilence } from './silence.ts'
import { type CardItem, cardText, newCard } from './job.ts'
import { type Rows, showList } from './list.ts'
import type { Execution } from './timeline.ts'
import { newToasts, newTray } from './toasts.ts'
import { type FileUpload, refusal, type Uploader } from './uploader.ts'
import { type Connection, spokenChange } from './words.ts'

/** How many cards are shown at first, and above how many they are one line each. */
const firstCards = 50
const mostTall = 6

/** How often the silence of jobs is looked at, in milliseconds. */
const silenceEvery = 5000

/** What a pane shows and uses. */
export interface PaneOptions {
  user: string
  herald: Herald
  uploader: Uploader
  announcer: Announcer
  /** The link under which the rejected rows of an ended job are found, if there is one. */
  rejectedURL(job: string): string | undefined
  loadExecution?(job: string): Promise<Execution | undefined>
  act(action: NonNullable<Connection['action']>): void
  /** Called with what the title of the window should say. */
  summary(text: string): void
}

/** What one user sees. */
export interface Pane {
  readonly element: HTMLElement
  /** The badge and the notes. */
  readonly status: HTMLElement
  add(files: readonly File[]): void
  remove(): void
}

/** Returns the pane of a user. Call remove when it is not shown any more. */
export function newPane(options: PaneOptions): Pane {
  const { herald, uploader, announcer } = options
  const shown = newShown()
  const silenceOf = newSilence()
  const detailsOpen = { value: false }
  const narrate = newNarrator<Job>((text) => announcer.say(text), spokenChange, (job) => `${job.epoch} ${job.status} ${job.terminal ? '' : `${job.attempt ?? ''} ${job.phase}`}`)
  const narrateUpload = newNarrator<FileUpload & { terminal: boolean }>(
    (text) => announcer.say(text), ({ fileName, state, error }) => `${fileName}: ${uploadWords[state] ?? state}${error ? `. ${error}` : ''}`, ({ state }) => state)
  let connection: Connection = { label: '', tone: 'busy' }
  let everLive = false

  const dismiss = (id: string) => void herald.dismiss(id).catch(() => announcer.say('The note could not be dismissed'))
  const toasts = newToasts(dismiss, (text) => announcer.say(text))
  const tray = newTray(dismiss)
  const whyRefused = el('span', { role: 'alert' })
  const refused = el('div', { class: 'refused', hidden: true }, whyRefused, button('×', 'Close this message', () => { refused.hidden = true }, 'quiet'))
  const add = (files: readonly File[]) => {
    const why = files.map(refusal).filter(Boolean)
    setText(whyRefused, why.slice(0, 3).join(' ') + (why.length > 3 ? ` And ${why.length - 3} more files.` : ''))
    refused.hidden = why.length === 0
    uploader.add(files.filter((file) => !refusal(file)))
  }
  const drop = newDropZone(add, options.act)
  const cards = el('ul', { class: 'cards' })
  const rows: Rows<CardItem> = new Map()
  let allCards = false
  const more = button('', '', () => { allCards = true; render() }, 'more')
  const heading = el('h2', { tabindex: '-1' }, 'Now')
  const now = el('section', { class: 'now', hidden: true }, heading, cards, more)
  const nothing = el('p', { class: 'nothing soft', hidden: true }, 'Nothing in the last 24 hours. Add a parts list above and watch it here.')
  const getResult = (job: string) => download(herald, job).catch((error: unknown) => {
    announcer.say(adviceForDownload(error))
    throw error
  })
  const history = newHistory(options.rejectedURL, getResult)

  const badge = newBadge((next) => {
    if (next.label !== connection.label && connection.label && (next.tone === 'bad' || connection.tone === 'bad')) announcer.say(next.notice ?? `Connection: ${next.label}`)
    connection = next
    drop.show(next)
    render()
  })
  const actions = {
    pause: (key: string) => uploader.pause(key),
    resume(key: string) {
      const stopped = uploader.uploads.getSnapshot().some((upload) => upload.key === key && upload.state === 'stopped')
      if (stopped) drop.chooseOne((file) => uploader.resume(key, file))
      else uploader.resume(key)
    },
    cancel: (key: string) => uploader.cancel(key),
    close(key: string) {
      shown.close(key)
      render()
    },
    getResult, rejectedURL: options.rejectedURL, loadExecution: options.loadExecution, detailsOpen,
  }

  let frame = 0
  let tick: ReturnType<typeof setTimeout> | undefined
  const later = () => {
    if (frame) return
    frame = document.hidden ? window.setTimeout(run, 250) : requestAnimationFrame(run)
  }
  const run = () => {
    frame = 0
    render()
  }
  const render = () => {
    const state = herald.status.getSnapshot().state
    const [jobs, notes] = [herald.jobs.getSnapshot(), herald.notes.getSnapshot()]
    const uploads = uploader.uploads.getSnapshot()
    const live = connection.tone !== 'bad'
    const at = Date.now()
    const items = chooseCards(shown, jobs, uploads, live, (job) => silenceOf(job, live, at))
    showList(cards, rows, allCards ? items : items.slice(0, firstCards), ({ key }) => key, (item) => newCard(item, actions), heading)
    for (const job of jobs) if (!job.local) narrate(job.id, job, !everLive)
    for (const upload of uploads) narrateUpload(upload.key, { ...upload, terminal: false }, upload.state === 'sent')
    everLive ||= state === 'live'

    now.hidden = items.length === 0
    setAttribute(cards, 'data-many', items.length > mostTall)
    more.hidden = allCards || items.length <= firstCards
    setText(more, `Show all ${items.length}`)
    const shownJobs = new Set(items.flatMap(({ job }) => (job ? [job.id] : [])))
    const past = pastJobs(jobs, Date.now(), shownJobs)
    history.update(past)
    nothing.hidden = !everLive || items.length > 0 || past.length > 0
    toasts.update(notes, everLive, shownJobs)
    tray.update(notes)
    options.summary(summaryOf(items))
    clearTimeout(tick)
    if (jobs.some(mayStall)) tick = setTimeout(render, silenceEvery)
  }

  const ends = [
    herald.jobs.subscribe(later), herald.notes.subscribe(later), uploader.uploads.subscribe(later),
    herald.status.subscribe(() => badge.update(herald.status.getSnapshot())),
  ]
  const element = el('section', { class: 'pane', 'aria-label': `Jobs of ${options.user}` },
    tray.panel, drop.element, refused, now, nothing, history.element, toasts.element)
  badge.update(herald.status.getSnapshot())
  return {
    element, add,
    status: el('div', { class: 'status' }, badge.element, tray.button),
    remove() {
      for (const end of ends) end()
      clearTimeout(tick)
      badge.remove()
      toasts.remove()
      for (const row of rows.values()) row.remove?.()
      element.remove()
    },
  }
}

const uploadWords: Record<string, string> = {
  waiting: 'waiting to upload', sending: 'uploading', paused: 'paused', stopped: 'interrupted by a reload', failed: 'not uploaded',
}

/** What the title of the window says of the cards: how far the work is, while there is some. */
function summaryOf(items: readonly CardItem[]): string {
  const running = items.filter(({ job, upload }) => (job && !job.terminal) || (upload && !job))
  if (running.length === 0) return ''
  if (running.length > 1) return `${running.length} running`
  const { job, upload } = running[0]!
  return `${cardText(running[0]!, !!upload || isImport(job!.phase)).percent} % ${job?.title ?? upload!.fileName}`
}
