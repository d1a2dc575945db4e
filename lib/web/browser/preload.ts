/** What `preload` puts into each window. */
export interface Probe {
  /** The tab's sockets, the oldest first. */
  sockets: WebSocket[]
  /** The protocols of each socket: herald, and the token. */
  tokens: string[]
  /** The values that each progress bar has had, by its label. */
  bars: Record<string, number[]>
  /** Moves the clock of the tab on, as a computer does that slept: timers whose time has passed run late, all at once. */
  skip(milliseconds: number): void
  /** Makes the clock and the timers of the tab run so many times as fast from now on. */
  hurry(times: number): void
}

declare global {
  interface Window {
    probe: Probe
  }
}

/** Runs in each window before its own scripts. It watches, and changes nothing but the clock when it is told to. */
export function preload(): void {
  const Socket = window.WebSocket
  const realNow = Date.now.bind(Date)
  const [realTimeout, realClear] = [window.setTimeout.bind(window), window.clearTimeout.bind(window)]
  const timers = new Map<number, { due: number; call: () => void }>()
  let [speed, since, offset] = [1, realNow(), 0] // the clock was offset ahead at the time since
  const now = () => realNow() + offset + Math.floor((realNow() - since) * (speed - 1))
  const probe: Probe = {
    sockets: [], tokens: [], bars: {},
    skip(milliseconds) {
      offset += milliseconds
      for (const [id, { due, call }] of [...timers].sort(([, a], [, b]) => a.due - b.due)) {
        if (due > now() || !timers.delete(id)) continue
        realClear(id)
        realTimeout(call)
      }
    },
    hurry(times) {
      offset = now() - realNow()
      since = realNow()
      speed = times
    },
  }
  Date.now = now
  window.setTimeout = ((call: (...args: unknown[]) => void, delay = 0, ...args: unknown[]) => {
    const run = () => {
      timers.delete(id)
      call(...args)
    }
    const id = realTimeout(run, delay / speed)
    timers.set(id, { due: now() + delay, call: run })
    return id
  }) as typeof setTimeout
  window.clearTimeout = (id) => {
    timers.delete(id as number)
    realClear(id)
  }
  window.probe = probe
  window.WebSocket = class extends Socket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols)
      probe.sockets.push(this)
      probe.tokens.push([protocols].flat()[1] ?? '')
    }
  }

  const look = (node: Node) => {
    if (!(node instanceof Element) || node.getAttribute('role') !== 'progressbar') return
    const values = probe.bars[node.getAttribute('aria-label') ?? ''] ??= []
    const value = Number(node.getAttribute('aria-valuenow'))
    if (values.at(-1) !== value) values.push(value)
  }
  new MutationObserver((records) => {
    for (const { target } of records) look(target)
  }).observe(document, { subtree: true, attributes: true, attributeFilter: ['aria-valuenow'] })
}
