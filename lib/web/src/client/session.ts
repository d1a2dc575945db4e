import type { Synced } from '../wire.ts'
import type { Frame } from './api.ts'
import { isA, parseFrame, timeOf } from './frames.ts'
import {
  afterEndSync, answerTimeout, endGrace, firstSync, lateTimer, longSession, maxPause, maxServerPause, maxSilence, pingAfter,
  pingDue, pongTimeout, quietSync, quietSyncAfter, rateWindow, renewDue, renewLead, requestedSync, retrySync, secondSync,
  secondSyncAfter, silenceAfter, silentSync, syncPause, syncTimeout, wakePause,
} from './limits.ts'
import { endPage, firstPage, requestPage, type Sync } from './sync.ts'
import type { Tokens } from './tokens.ts'
import type { View } from './view.ts'

/** A message to the server: JSON with an action. */
export interface Message {
  action: string
  /** An id that the answer has, too. */
  request?: string
  token?: string
}

/** What a session needs of the connection that it belongs to. */
export interface Owner {
  view: View
  sync: Sync
  tokens: Tokens
  /** Applies a frame. */
  frame(frame: Frame): void
  opened(session: Session): void
  /** A sync is complete: everything that the server had when it began has come. */
  synced(session: Session): void
  /** Whether someone waits for a sync that has not begun; begun says that one begins. */
  syncWanted(begun?: boolean): boolean
  /** The session is to be replaced by another one, with a token if it is another one. */
  renew(token: string): void
  /** The session has ended. A session that never opened was refused, or the server could not be reached. */
  ended(session: Session, closing?: Frame<'closing'>): void
}

/** One WebSocket connection. */
export interface Session {
  token: string
  /** Whether it has opened, and whether a frame has come. */
  opened: boolean
  worked: boolean
  /** Sends a message. */
  send(message: Message): void
  /** Pings, then syncs. */
  wake(): void
  /** Syncs as soon as it may. */
  syncSoon(): void
  /** Stops to sync, as another session does, but goes on to receive. */
  retire(): void
  close(closing?: Frame<'closing'>): void
}

/** Opens a connection with a token. */
export function openSession(url: string, token: string, owner: Owner): Session {
  const { view, sync } = owner
  const never = Infinity
  const due = Array<number>(retrySync + 1).fill(never)
  const silences = new Map<string, { since: number; bound: number }>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let ended = false
  let retired = false
  let syncing = false
  let noWelcome = false
  let legacy = false // the server does not know the newer fields of a sync
  let failures = 0 // of syncs, in a row
  let serverPause = 0
  let retryPause = 0
  let openedAt = 0
  let end = 0 // of the session, by this machine's clock
  let refreshToken = ''
  let refreshes = 0 // without an answer
  let graced = false // a late pong timeout was put off
  let waking = 0
  let syncOnPong = false

  const socket = new WebSocket(url, ['herald', token])
  const session: Session = {
    token,
    opened: false,
    worked: false,
    send(message) {
      if (message.action === 'refresh') {
        refreshToken = message.token!
        refreshes++
      }
      if (socket.readyState === 1) socket.send(JSON.stringify(message))
    },
    wake() {
      const now = Date.now()
      if (now - waking < wakePause) return
      waking = due[pingDue] = now
      syncOnPong = true
      run()
    },
    syncSoon() {
      due[requestedSync] = Date.now()
      run()
    },
    retire() {
      retired = true
    },
    close: finish,
  }

  // Ends the connection, for the reason that a closing frame says.
  function finish(closing?: Frame<'closing'>): void {
    if (ended) return
    ended = true
    clearTimeout(timer)
    socket.close()
    owner.ended(session, closing)
  }

  function receive(frame: Frame, now: number): void {
    due[pongTimeout] = never // any frame shows that the connection works
    due[pingDue] = now + pingAfter
    graced = false
    owner.frame(frame)
    if (ended) return
    if (isA(frame, 'closing')) return finish(frame)
    session.worked = true
    if (view.notes.skipped) {
      view.notes.skipped = false
      due[requestedSync] = Math.min(due[requestedSync]!, now + syncPause)
    }
    if (syncOnPong) {
      syncOnPong = false
      due[secondSync] = now
    }
    if (isA(frame, 'upload_progress')) resetSilence(frame.job || frame.data.uploadId, now)
    if (isA(frame, 'welcome')) {
      noWelcome = !legacy
      setEnd(now + timeOf(frame.data.sessionEnd) - timeOf(frame.data.serverTime), now)
    }
    if (isA(frame, 'refreshed')) {
      const at = now + timeOf(frame.data.sessionEnd) - timeOf(frame.timestamp)
      refreshes = 0
      session.token = refreshToken
      if (at < end + 1000) due[renewDue] = never // no token prolongs it
      else setEnd(at, now)
    }
    if (isA(frame, 'synced') && !retired) pageEnded(frame.data, now)
    if (isA(frame, 'error') && !frame.id) {
      const { code } = frame.data
      if (code === 'RATE_LIMITED') serverPause = now + rateWindow
      if (code === 'INVALID_MESSAGE' && syncing) {
        firstPage(sync, view)
        noWelcome = false
        legacy = true
        retryLater(now)
      }
    }
    run()
  }

  // Restarts the silence of a job, of which a frame came. A job that has ended, and one that only this browser knows, has none.
  function resetSilence(id: string, since: number): void {
    const job = view.jobs.get(id)?.job
    if (!job || job.terminal || job.local) silences.delete(id)
    else silences.set(id, { since, bound: silenceAfter })
  }

  function setEnd(at: number, now: number): void {
    end = at
    if (at <= now) return // the closing frame is on its way
    due[afterEndSync] = at + endGrace
    due[renewDue] = at - Math.min(at - openedAt < longSession ? renewLead : renewLead * (1 + Math.random()), (at - now) / 2)
  }

  // Prolongs the session by another token, or has it replaced by another session. It tries again after half of the time that
  // is left, as the answer may be lost.
  async function renew(now: number): Promise<void> {
    const left = (end - now) / 2
    due[renewDue] = left < 1000 ? never : now + left
    const next = await owner.tokens.next(false).catch(() => '')
    if (ended || retired || !next) return
    if (end - openedAt >= longSession || refreshes > 1) owner.renew(next)
    else if (next !== session.token) session.send({ action: 'refresh', token: next })
  }

  function retryLater(now: number): void {
    syncing = false
    due[syncTimeout] = never
    due[retrySync] = retryPause = now + Math.min(syncPause * 2 ** failures++, maxPause)
  }

  function sendSync(now: number): void {
    if (!sync.cursor) beginSync(now)
    due[retrySync] = never
    syncing = true
    due[syncTimeout] = now + answerTimeout
    due[quietSync] = now + quietSyncAfter
    session.send(requestPage(sync, view, !noWelcome))
  }

  // Begins a new sync, for all that is due. After firstSync, quietSync and a request it takes all pages.
  function beginSync(now: number): void {
    const begun = due.map((at, which) => which >= firstSync && at <= now)
    begun.forEach((is, which) => {
      if (is) due[which] = never
    })
    if (!begun[retrySync]) sync.brief = true
    if (!sync.complete || begun[firstSync] || begun[quietSync] || begun[requestedSync]) sync.brief = false
    for (const silence of silences.values()) {
      if (silence.since + silence.bound <= now) silence.bound = Math.min(2 * silence.bound, maxSilence)
      silence.since = now
    }
    owner.syncWanted(true)
  }

  function pageEnded(data: Synced, now: number): void {
    syncing = false
    due[syncTimeout] = due[retrySync] = never
    retryPause = 0
    if (data.retryAfter! > 0) serverPause = now + Math.min(data.retryAfter! * 1000, maxServerPause)
    const result = endPage(sync, view, data)
    if (result === 'again') return retryLater(now)
    failures = 0
    if (result === 'next') due[retrySync] = now
    else {
      owner.synced(session)
      if (owner.syncWanted()) due[requestedSync] = now
    }
  }

  function ping(now: number): void {
    due[pingDue] = now + pingAfter
    due[pongTimeout] = now + answerTimeout
    session.send({ action: 'ping' })
  }

  function noPong(now: number): void {
    if (graced || !session.opened || now - due[pongTimeout]! < lateTimer) return finish()
    graced = true
    due[pongTimeout] = now + answerTimeout
  }

  const acts = [noPong, retryLater, ping, renew]

  function dueAt(which: number): number {
    if (which > pingDue && (syncing || retired)) return never
    return which < firstSync ? due[which]! : Math.max(due[which]!, serverPause, retryPause)
  }

  // Does what is due, and sets the timer for what is due next.
  function run(): void {
    const now = Date.now()
    due[silentSync] = Math.min(...[...silences.values()].map(({ since, bound }) => since + bound))
    due.forEach((_, which) => {
      if (!ended && dueAt(which) <= now) (acts[which] ?? sendSync)(now)
    })
    clearTimeout(timer)
    const next = Math.min(...due.map((_, which) => dueAt(which)))
    if (!ended && next < never) timer = setTimeout(run, next - now)
  }

  socket.onopen = () => {
    const now = openedAt = due[firstSync] = Date.now()
    session.opened = true
    firstPage(sync, view)
    for (const id of view.jobs.keys()) resetSilence(id, now)
    due[pongTimeout] = never
    due[pingDue] = now + pingAfter
    due[secondSync] = now + secondSyncAfter
    owner.opened(session)
    run()
  }
  socket.onmessage = ({ data }) => {
    const frame = parseFrame(data)
    if (frame && !ended) receive(frame, Date.now())
  }
  socket.onclose = () => finish()
  due[pongTimeout] = Date.now() + answerTimeout // of the handshake
  run()
  return session
}
