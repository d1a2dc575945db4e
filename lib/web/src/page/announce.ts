import { setText } from './dom.ts'

/** How long texts are collected, in milliseconds: what happens at once is one sentence, not a queue of them. */
const pause = 400
/** How long a text stays: a screen reader that is busy reads it later. */
const stay = 8000
const mostAtOnce = 3

/** Says texts to people who use a screen reader. */
export interface Announcer {
  say(text: string): void
}

/** Returns an announcer that speaks by a live region. */
export function newAnnouncer(region: HTMLElement): Announcer {
  let texts: string[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  let clear: ReturnType<typeof setTimeout> | undefined
  const flush = () => {
    timer = undefined
    const rest = texts.length - mostAtOnce
    setText(region, `${texts.slice(0, mostAtOnce).join('. ')}${rest > 0 ? `. And ${rest} more changes` : ''}.`)
    texts = []
    clear = setTimeout(() => setText(region, ''), stay)
  }
  return {
    say(text) {
      texts.push(text.replace(/\.$/, ''))
      clearTimeout(clear)
      timer ??= setTimeout(flush, pause)
    },
  }
}

/** Remembers what was said of each job, so that a new phase and an end are said once, and percents never. */
export function newNarrator<T extends { terminal: boolean }>(say: (text: string) => void, textOf: (item: T) => string, stepOf: (item: T) => string) {
  const said = new Map<string, string>()
  return (key: string, item: T, silent: boolean): void => {
    const step = stepOf(item)
    if (said.get(key) === step) return
    const isNew = !said.has(key)
    said.set(key, step)
    if (!silent && !(isNew && item.terminal)) say(textOf(item))
  }
}
