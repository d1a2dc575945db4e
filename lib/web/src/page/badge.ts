import type { Status } from '../client/index.ts'
import { el, setAttribute, setText } from './dom.ts'
import { type Connection, connectionOf } from './words.ts'

/** How long a connection may be away before it is shown, in milliseconds: a renewal is no news. */
const grace = 1000

/** Shows whether what the page shows is up to date. */
export interface Badge {
  readonly element: HTMLElement
  update(status: Status): void
  remove(): void
}

/** Returns a badge. Changed is called with what the status means, after each change and each second of a countdown. */
export function newBadge(changed: (connection: Connection) => void): Badge {
  const label = el('span')
  const element = el('span', { class: 'badge' }, el('i', { 'aria-hidden': 'true' }), label)
  let status: Status = { state: 'connecting' }
  let timer: ReturnType<typeof setTimeout> | undefined
  let wasLive = false
  const show = () => {
    const connection = connectionOf(status, Date.now())
    setText(label, connection.label)
    setAttribute(element, 'data-tone', connection.tone)
    changed(connection)
    if (status.state === 'offline') timer = setTimeout(show, 1000)
  }
  return {
    element,
    update(next) {
      clearTimeout(timer)
      status = next
      const brief = wasLive && (next.state === 'offline' || next.state === 'connecting')
      wasLive = next.state === 'live' || brief && wasLive
      if (next.state === 'live' || !brief) show()
      else timer = setTimeout(() => { wasLive = false; show() }, grace)
    },
    remove: () => clearTimeout(timer),
  }
}
