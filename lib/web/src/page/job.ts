import type { Job } from '../client/index.ts'
import { uploadPercent } from '../uploads/upload.ts'
import { importParts, isImport, newBar, onePart, type Part, wholeShare } from './bar.ts'
import { button, el, setAttribute, setText } from './dom.ts'
import type { Row } from './list.ts'
import { duration, percent, size } from './numbers.ts'
import { newPlot } from './plot.ts'
import { newResultLink } from './result.ts'
import { addSample, type Sample } from './samples.ts'
import { newStepList } from './steps.ts'
import { type Execution, newTimeline } from './timeline.ts'
import type { FileUpload } from './uploader.ts'
import { adviceFor, endOf, type Fact, factsOf, phaseOf, rejectedOf, sentence, shortName } from './words.ts'

/** What a card shows: a job, or a file that becomes one, or both. */
export interface CardItem {
  readonly key: string
  readonly job?: Job
  readonly upload?: FileUpload
  /** Whether the connection is up, so that rates and the time left are true now. */
  readonly live: boolean
  /** How long there was no news of a job that has stalled, in words. */
  readonly silence?: string
}

/** What a card can do. */
export interface CardActions {
  pause(key: string): void
  resume(key: string): void
  cancel(key: string): void
  close(key: string): void
  rejectedURL(job: string): string | undefined
  /** Downloads the result of a job. */
  getResult(job: string): Promise<void>
  loadExecution?(job: string): Promise<Execution | undefined>
  /** Whether details are open at first: as they were last. */
  detailsOpen: { value: boolean }
}

const longName = 60

/** What a card says, from what it shows. */
export interface CardText {
  phase: string
  facts: Fact[]
  rejected: string
  /** What went wrong, and what a person can do. */
  trouble: string
  percent: number
  parts: Part[]
  kind: 'running' | 'waiting' | 'retrying' | 'stalled' | 'succeeded' | 'failed' | 'cancelled'
}

/**
 * Works out what a card says. `fourParts` is whether the job was seen to be an import, `before` are the parts that were shown: a
 * failed job does not say in which phase it failed.
 */
export function cardText({ job, upload, live, silence }: CardItem, fourParts: boolean, before?: Part[]): CardText {
  if (upload && (!job || job.local)) return uploadText(upload)
  if (!job) throw new Error('a card needs a job or an upload')
  const isUnknown = job.terminal && !job.phase && before?.length === 4
  const parts = isUnknown ? before : fourParts ? importParts(job) : onePart(job.progress)
  const base = { rejected: rejectedOf(job), parts, percent: percent(wholeShare(parts)) }
  if (!job.terminal) return { ...base, phase: phaseOf(job, silence), facts: factsOf(job, live, silence), trouble: '', kind: silence ? 'stalled' : kinds[job.status] ?? 'running' }
  const took = Date.parse(job.epoch.split('#')[0]!)
  const facts: Fact[] = took && job.updatedAt > took ? [{ kind: 'took', text: `in ${duration(job.updatedAt - took)}` }] : []
  if (job.status === 'succeeded') {
    const full = parts.map((part) => ({ ...part, share: 1 }))
    return { ...base, parts: full, percent: 100, phase: endOf(job), facts, trouble: '', kind: 'succeeded' }
  }
  if (job.status === 'cancelled') return { ...base, phase: endOf(job), facts: [], trouble: '', kind: 'cancelled' }
  return { ...base, phase: 'Failed', facts: [], trouble: [sentence(endOf(job)), adviceFor(job)].filter(Boolean).join(' '), kind: 'failed' }
}

// How a running job is shown, by its status.
const kinds: Record<string, CardText['kind']> = { queued: 'waiting', waiting: 'waiting', retrying: 'retrying', stalled: 'stalled' }

function uploadText(upload: FileUpload): CardText {
  const share = upload.size ? upload.sent / upload.size : 0
  const parts = importParts({ phase: 'upload', progress: share * uploadPercent })
  const sent = upload.sent ? `${size(upload.sent)} of ${size(upload.size)}` : size(upload.size)
  const facts: Fact[] = [{ kind: 'size', text: sent }]
  const base = { facts, rejected: '', trouble: '', parts, percent: percent(wholeShare(parts)) }
  switch (upload.state) {
    case 'waiting': return { ...base, phase: 'Waiting to upload', kind: 'waiting' }
    case 'sending': return { ...base, phase: 'Uploading', kind: 'running' }
    case 'paused': return { ...base, phase: 'Paused', kind: 'waiting' }
    case 'sent': return { ...base, phase: 'Uploaded, the import begins', kind: 'running' }
    case 'stopped':
      return { ...base, phase: 'Interrupted', kind: 'waiting', trouble: upload.error ?? 'The page was reloaded. Choose the same file again, and the upload goes on.' }
    case 'failed': return { ...base, phase: 'Not uploaded', kind: 'failed', trouble: upload.error ?? 'The upload failed. Try again.' }
  }
}

/** Returns the card of a job. */
export function newCard(first: CardItem, actions: CardActions): Row<CardItem> {
  let item = first
  let fourParts = false
  let parts: Part[] | undefined
  const id = `job-${cards++}`
  const samples: Sample[] = []

  const share = el('span', { class: 'share', 'aria-hidden': 'true' })
  const bar = newBar()
  const facts = el('p', { class: 'facts' })
  const why = el('p')
  const remedy = button('', '', () => actions.resume(item.key), 'primary')
  const trouble = el('div', { class: 'trouble', hidden: true }, why, remedy)
  const pause = button('Pause', '', () => (item.upload?.state === 'sending' ? actions.pause : actions.resume)(item.key), 'quiet')
  const cancel = button('Cancel', '', () => actions.cancel(item.key), 'quiet')
  const close = button('Close', '', () => actions.close(item.key), 'quiet')
  const plot = newPlot()
  const stepList = newStepList()
  let resultTrouble = ''
  const result = newResultLink(actions.getResult, (reason) => {
    resultTrouble = reason
    showTrouble()
  }, 'button')
  const timeline = actions.loadExecution && newTimeline(async () => item.job && actions.loadExecution!(item.job.id))
  const details = el('details', { open: actions.detailsOpen.value }, el('summary', {}, 'Details'),
    el('div', { class: 'grid' }, plot.element, stepList.element, ...(timeline ? [timeline.element] : [])))
  details.addEventListener('toggle', () => {
    actions.detailsOpen.value = details.open
    if (details.open) plot.update(samples, !item.job?.terminal)
    timeline?.open(details.open && !timeline.element.hidden)
  })
  const label = el('bdi')
  const heading = el('h3', { id, class: 'name' }, label)
  const element = el('li', { class: 'card' }, el('article', { 'aria-labelledby': id },
    el('div', { class: 'row' }, heading, el('span', { class: 'end' }, result.element, pause, cancel, close, share)),
    bar.element, facts, trouble, details))

  let text: CardText
  function showTrouble(): void {
    const all = [text.trouble, resultTrouble].filter(Boolean).join(' ')
    trouble.hidden = !all
    setText(why, all)
  }

  // Details show what there is: rows per second, and the steps of the job, else the states of its workflow.
  function showDetails(job: Job): void {
    const hasSteps = !!job.steps?.length
    const hasRows = samples.length > 0 || !!job.totalRows || fourParts
    plot.element.hidden = !hasRows
    stepList.element.hidden = !hasSteps
    if (hasSteps) stepList.update(job)
    if (timeline && timeline.element.hidden !== hasSteps) {
      timeline.element.hidden = hasSteps
      timeline.open(details.open && !hasSteps)
    }
    details.hidden = !!job.local || !hasRows && !hasSteps && !timeline
    if (details.open) plot.update(samples, !job.terminal)
    if (!job.local && !hasSteps) timeline?.update(!job.terminal)
  }

  return {
    element,
    remove: () => timeline?.remove(),
    update(next) {
      if (next.job === item.job && next.upload === item.upload && next.live === item.live && next.silence === item.silence && facts.childNodes.length > 0) return
      if (next.job?.epoch && item.job?.epoch && next.job.epoch !== item.job.epoch) {
        samples.length = 0 // another run
        parts = undefined
        timeline?.restart()
      }
      item = next
      const { job, upload } = item
      fourParts ||= !!upload || isImport(job?.phase ?? '')
      text = cardText(item, fourParts, parts)
      parts = text.parts
      const name = job?.title || upload?.fileName || 'a job without a name'

      setText(label, shortName(name, longName))
      setAttribute(heading, 'title', name)
      setText(share, text.kind === 'failed' && !upload ? '' : `${text.percent} %`)
      showFacts(facts, text, name, job && !job.local && job.status === 'succeeded' && !job.result ? actions.rejectedURL(job.id) : undefined)
      result.update(job)
      showTrouble()
      bar.update(name, text.parts, text.percent, [`${text.percent} %`, text.phase, ...text.facts.map((fact) => fact.text), text.rejected].filter(Boolean).join(', '), text.kind)
      setAttribute(element, 'data-kind', text.kind)
      showButtons(item, name, { remedy, pause, cancel, close })

      if (job?.rowsPerSecond && !job.local && !job.terminal) addSample(samples, { at: job.updatedAt, value: job.rowsPerSecond })
      if (job) showDetails(job)
      else details.hidden = true
    },
  }
}

let cards = 0

function showFacts(parent: HTMLElement, text: CardText, name: string, rejectedURL?: string): void {
  const rejected = text.rejected && (rejectedURL
    ? el('a', { class: 'bad', href: rejectedURL, download: '', 'aria-label': `Download ${text.rejected} rows of ${name}` }, `Download ${text.rejected}`)
    : el('span', { class: 'bad' }, text.rejected))
  const link = parent.querySelector('a')
  if (link && rejected && link.textContent === rejected.textContent) return // it may have the focus
  parent.replaceChildren(el('span', { class: 'phase' }, text.phase), ...text.facts.map(factElement), ...(rejected ? [rejected] : []))
}

// A narrow card leaves out the word "rows" of a rate.
function factElement({ kind, text }: Fact): HTMLElement {
  const [number, ...rest] = text.split(/(?= rows\/s$)/)
  return el('span', { class: kind }, number!, ...(kind === 'rate' && rest.length > 0 ? [el('span', { class: 'unit' }, ' rows'), '/s'] : rest))
}

// What can be done about an upload, by its state: the button in the row, or the one beside what went wrong.
const pauseWords: Partial<Record<FileUpload['state'], string>> = { sending: 'Pause', paused: 'Resume' }
const remedyWords: Partial<Record<FileUpload['state'], string>> = { stopped: 'Choose the file', failed: 'Try again' }

type CardButtons = Record<'remedy' | 'pause' | 'cancel' | 'close', HTMLButtonElement>

function showButtons(item: CardItem, name: string, buttons: CardButtons): void {
  const upload = !item.job || item.job.local ? item.upload : undefined
  const words: Record<keyof CardButtons, string> = {
    remedy: upload && remedyWords[upload.state] || '',
    pause: upload && pauseWords[upload.state] || '',
    cancel: upload && upload.state !== 'sent' ? 'Cancel' : '',
    close: item.job?.terminal && !upload ? 'Close' : '',
  }
  const focused = document.activeElement
  for (const [key, button] of Object.entries(buttons) as [keyof CardButtons, HTMLButtonElement][]) {
    button.hidden = !words[key]
    if (!words[key]) continue
    setText(button, words[key])
    setAttribute(button, 'aria-label', `${words[key]}: ${name}`)
  }
  if (focused instanceof HTMLElement && focused.hidden && Object.values(buttons).includes(focused as HTMLButtonElement)) {
    Object.values(buttons).find((other) => !other.hidden)?.focus()
  }
}
