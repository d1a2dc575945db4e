import type { Frame, LocalState, Status } from '../client/api.ts'
import { openConnection } from '../client/connection.ts'
import { askEvery, maxMisses, requestTimeout, stepDownEvery, tokenPause } from '../client/limits.ts'
import type { ConnectionHooks, Link, Message } from '../client/link.ts'
import { type Tokens, userOf } from '../client/tokens.ts'
import type { View } from '../client/view.ts'

/** What the tabs' connection reports to its core, and asks it. */
export interface TabHooks extends ConnectionHooks {
  show(state: LocalState): void
}

// What tabs send each other, by kind. A leader sends frame, status and state; a follower ask, hello and send.
interface Kinds {
  /** Is the leader there? It answers with its status. */
  ask: []
  frame: [Frame]
  /** The connection's status, and the note up to which its syncs are complete. */
  status: [Status, since: string]
  /** A follower is new, or awake again: the leader looks after the connection, and sends what it knows. */
  hello: [isNew?: boolean]
  state: [to: string, View, Status, since: string]
  send: [Message]
  /** A tab shows a state that it made itself. */
  show: [LocalState]
}
type Handlers = { [K in keyof Kinds]?: (from: string, ...rest: Kinds[K]) => void }

/**
 * Opens one connection for all tabs of an origin and user. A lock elects the tab that has it; the others follow: they apply the
 * frames that it passes on, and send by it. When it is gone, the lock falls to another tab, which knows all that it knew, and
 * syncs. Without the browser's support each tab connects by itself.
 */
export function openTabs(url: string, tokens: Tokens, hooks: TabHooks): Link {
  const { view } = hooks
  const locks = globalThis.navigator?.locks
  if (!locks || !globalThis.BroadcastChannel) return openConnection(url, tokens, hooks)

  const me = `${Math.random()}`
  let name = ''
  let channel: BroadcastChannel | undefined
  let link: Link | undefined // of a leader
  let leader = ''
  let since = '' // of this leader
  let joined = false // the state of the other leader has come
  let status: Status
  let closed = false
  let misses = 0
  let followed = false // another tab has said hello
  let steppedDown = 0
  let release: (() => void) | undefined
  let queue = new AbortController()
  let timer: ReturnType<typeof setTimeout>

  // Learns from the token whose connection it is to be.
  async function begin(): Promise<void> {
    const mine = timer = setTimeout(begin, requestTimeout) // in case that the application does not return a token
    const token = await tokens.next(false).catch(() => '')
    if (closed || mine !== timer) return
    clearTimeout(timer)
    timer = setTimeout(token ? ask : begin, tokenPause)
    if (!token) return
    hooks.sameUser(token)
    tokens.give(token)
    const user = userOf(token)
    if (!user) return lead()
    name = `herald2 ${url} ${user}` // another number when tabs of different versions would not understand each other
    channel = new BroadcastChannel(name)
    channel.onmessage = ({ data }) => closed || receive(data)
    elect()
    post('hello', true)
  }

  // Waits for the lock, or takes it from a leader that is frozen.
  function elect(steal?: true): void {
    queue.abort()
    const own = queue = new AbortController()
    locks!.request(name, steal ? { steal } : own, () => closed || new Promise<void>((resolve) => {
      release = resolve
      lead()
    })).catch((error: Error) => {
      if (closed || own !== queue) return
      if (link) stepDown() // another tab has taken the lock
      else if (error.name !== 'AbortError') lead() // locks are not for this page
    })
  }

  function lead(): void {
    leader = me
    since = view.notes.since
    let own: Link | undefined
    own = link = openConnection(url, tokens, {
      ...hooks,
      frame(frame) {
        hooks.frame(frame)
        post('frame', frame)
      },
      status(next) {
        if (link !== own) return // it has stepped down
        setStatus(next)
        post('status', next, since)
        if (next.state === 'refused' && followed && Date.now() - steppedDown > stepDownEvery) {
          steppedDown = Date.now()
          stepDown() // another tab may have a better token
        }
      },
      completed() {
        since = view.notes.since
        post('status', status, since)
      },
    })
  }

  function stepDown(): void {
    const own = link
    link = undefined
    own?.close()
    release?.()
    leader = ''
    followed = false
    elect()
  }

  function setStatus(next: Status): void {
    status = next
    hooks.status(next)
  }

  // Asks whether the leader is there. A frozen one keeps its lock.
  function ask(): void {
    timer = setTimeout(ask, askEvery)
    if (link) return
    if (misses++ < maxMisses) return post('ask')
    misses = 0
    elect(true)
  }

  function post<K extends keyof Kinds>(kind: K, ...rest: Kinds[K]): void {
    if (!closed) channel?.postMessage([kind, me, ...rest])
  }

  const asFollower: Handlers = {
    frame: (_, frame) => hooks.frame(frame),
    status(_, next, complete) {
      if (joined && complete > view.notes.since) view.notes.since = complete
      setStatus(next)
    },
    state(from, to, { jobs, notes }, ...rest) {
      if (to !== me) return
      joined = true
      for (const { job } of jobs.values()) {
        if (job.local) hooks.show(job as never)
        else hooks.frame({ ...job, timestamp: '', job: job.id, replayed: true, data: job })
      }
      for (const note of notes.shown) hooks.frame({ ...note, timestamp: '', replayed: true, data: note })
      asFollower.status!(from, ...rest)
    },
  }
  const asLeader: Handlers = {
    ask: () => post('status', status, since),
    send: (_, message) => link!.send(message),
    hello(from, isNew) {
      if (isNew && status.state === 'closed') return stepDown() // the server closed it for good: a new tab tries again
      followed = true
      link!.wake()
      post('state', from, view, status, since)
    },
  }

  function receive([kind, from, ...rest]: [keyof Kinds, string, ...unknown[]]): void {
    if (kind === 'show') return hooks.show(rest[0] as LocalState)
    const handle = (link ? asLeader : asFollower)[kind] as ((from: string, ...rest: unknown[]) => void) | undefined
    if (handle && !link) {
      misses = 0
      if (leader !== from) {
        leader = from
        joined = false
        tokens.give('') // when this tab leads, it is too old
        post('hello')
      }
    }
    handle?.(from, ...rest)
  }

  void begin()
  return {
    send(message) {
      if (link) link.send(message)
      else post('send', message)
    },
    wake(event) {
      if (!link) post('hello')
      else if (channel && event === 'freeze') stepDown()
      else link.wake()
    },
    show: (state) => post('show', state),
    close() {
      closed = true
      clearTimeout(timer)
      queue.abort()
      link?.close()
      release?.()
      channel?.close()
      hooks.status({ state: 'closed' })
    },
  }
}
