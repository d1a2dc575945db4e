import type { Herald, Job } from '../client/index.ts'
import { button, el, setAttribute, setText } from './dom.ts'
import { shortName } from './words.ts'

/** How much of a file's name a button shows. */
const longName = 24

const reasons: Record<string, string> = {
  RESULT_NOT_FOUND: 'The result is not there any more.',
  DOWNLOADS_DISABLED: 'This server offers no downloads.',
  RATE_LIMITED: 'You asked for more than the server allows. Wait a minute, then try again.',
  TIMEOUT: 'The server did not answer. Try again.',
  CONNECTION_LOST: 'The connection was lost. Try again.',
  CLOSED: 'There is no connection. Connect again, then try again.',
}

/** Returns what the error of a download means for a person. */
export function adviceForDownload(error: unknown): string {
  return reasons[String((error as { code?: unknown } | null)?.code)] ?? 'The download failed. Try again.'
}

/** Downloads the result of a job. The URL is asked for anew each time: it is valid for some minutes only. */
export async function download(herald: Pick<Herald, 'request'>, job: string): Promise<void> {
  const { data } = await herald.request<'download_url'>('download', { job })
  if (!/^https?:\/\//i.test(data.url)) throw new Error('no URL to download from')
  el('a', { href: data.url, download: '', rel: 'noreferrer' }).click()
}

/** The name of the result's file, if it is one of the user's own. */
function fileOf(result: string): string {
  return result.split('/').at(-1)!
}

/** The result of a job: a link to another site, or a button that downloads it. It is hidden if there is none. */
export interface ResultLink {
  readonly element: HTMLElement
  update(job?: Job): void
}

/**
 * Returns the link, as a button or as part of a text. Get downloads the result of a job; failed is called with what went wrong, and
 * with nothing at another try.
 */
export function newResultLink(get: (job: string) => Promise<void>, failed: (why: string) => void, look: 'button' | 'link'): ResultLink {
  let shown: Job | undefined
  let busy = false
  const link = el('a', { class: look, target: '_blank', rel: 'noopener noreferrer' }, 'Open')
  const file = el('span', { class: 'file' })
  const word = el('span')
  const getter = button('', '', async () => {
    if (busy) return
    busy = true
    failed('')
    update(shown)
    try {
      await get(shown!.id)
    } catch (error) {
      failed(adviceForDownload(error))
    }
    busy = false
    update(shown)
  }, look)
  getter.append(word, ' ', file)
  const element = el('span', { class: 'result' })
  function update(job?: Job): void {
    shown = job
    const result = job?.terminal && job.result || ''
    const isLink = /^https:\/\//i.test(result)
    const wanted = isLink ? link : getter
    element.hidden = !result
    if (!result) return element.replaceChildren()
    if (element.firstChild !== wanted) element.replaceChildren(wanted)
    setText(word, busy ? 'Preparing' : 'Download')
    setAttribute(getter, 'aria-disabled', busy && 'true')
    if (isLink) {
      setAttribute(link, 'href', result)
      setAttribute(link, 'aria-label', `Open the result: ${job!.title}`)
    } else {
      setAttribute(getter, 'title', fileOf(result))
      setText(file, shortName(fileOf(result), longName))
      setAttribute(getter, 'aria-label', `Download ${fileOf(result)}: ${job!.title}`)
    }
  }
  update()
  return { element, update }
}
