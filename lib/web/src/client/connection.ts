import type { Closing, Synced } from '../wire.ts'
import type { Frame, State, Status } from './api.ts'
import { isA, jobIDOf, parseFrames, timeOf } from './frames.ts'
import {
  afterEndSync, answerTimeout, askAfter, attemptDue, doubtedAfter, endGrace, firstPause, firstSync, lateTimer,
  longSession, maxPause, maxServerPause, maxSilence, pingAfter, pingDue, pongTimeout, quietSync, quietSyncAfter,
  rateWindow, refusedAfter, renewDue, renewLead, requestedSync, requestTimeout, retrySync, secondSync, secondSyncAfter,
  silenceAfter, silentSync, syncPause, syncTimeout, wakePause,
} from './limits.ts'
import { type ConnectionHooks, type Link, type Message, unreachable } from './link.ts'
import { endPage, firstPage, requestPage } from './sync.ts'
import { claimsOf, type Tokens } from './tokens.ts'

const never = Infinity

/** Connects, and stays connected until it is closed. */
export function openConnection(url: string, tokens: Tokens, hooks: ConnectionHooks): Link {
  const { view } = hooks
  const { sync } = view
  const due = Array<number>(retrySync + 1).fill(never)
  let timer: ReturnType<typeof setTimeout> | undefined
  let state: State = 'connecting'

  // The sockets: the one in use, which may not be open yet, one that is to take its place, and one whose place was taken.
  let socket: WebSocket | undefined
  let next: WebSocket | undefined
  let old: WebSocket | undefined
  let socketToken = ''
  let openedAt = 0
  let end = 0 // of the session, by this machine's clock
  let refreshToken = ''

  let attempts = 0 // their number: what an older attempt gets is ignored
  let failures = 0 // connections in a row without a frame
  let handshakes = 0 // in a row that failed
  let failedToken = '' // that of the last failed handshake
  let refusals = 0 // failed handshakes in a row with failedToken while the server could be reached
  let probe: Promise<void> | undefined // asks whether the server can be reached

  let syncing = false
  const waiting: (string | undefined)[] = [] // requests for a sync that begins after they came
  const served: typeof waiting = [] // those whose sync has begun
  const silences = new Map<string, { since: number; bound: number }>()
  let welcomed = false // by the server, over this socket
  let legacy = false // the server does not know the newer fields of a sync
  let syncFailures = 0 // in a row
  let serverPause = 0
  let retryPause = 0
  let graced = false // a late pong timeout was put off
  let waking = 0

  // What is done when it is due; from firstSync on it is sendSync.
  const acts = [attempt, noPong, retrySyncLater, ping, renew]

  function dueAt(at: number, which: number): number {
    if (which > pingDue && syncing) return never
    return which < firstSync ? at : Math.max(at, serverPause, retryPause)
  }

  // Does what is due, and sets the timer for what is due next.
  function run(): void {
    const now = Date.now()
    due[silentSync] = Math.min(...[...silences.values()].map(({ since, bound }) => since + bound))
    due.forEach((at, which) => {
      if (dueAt(at, which) <= now) (acts[which] ?? sendSync)(now)
    })
    clearTimeout(timer)
    const first = Math.min(...due.map(dueAt))
    if (first < never) timer = setTimeout(run, first - now)
  }

  // Nothing is due any more, but another attempt.
  function rest(attemptAt = never): void {
    silences.clear()
    due.fill(never)
    due[attemptDue] = attemptAt
    syncing = false
    run()
  }

  function setState(to: State, more?: Partial<Status>): void {
    state = to
    hooks.status({ state, ...more })
  }

  // Tries again after a pause, unless there is nothing to wait for.
  function attemptLater(to: State, pause: number, code?: string): void {
    const retryAt = code && !tokens.canAsk ? undefined : Date.now() + pause
    setState(to, { code, retryAt })
    rest(retryAt)
  }

  async function attempt(): Promise<void> {
    if (state === 'closed') return rest()
    const number = ++attempts
    rest(Date.now() + requestTimeout) // in case that the application does not return a token
    const token = await tokens.next(!!tokens.dead || handshakes >= refusedAfter).catch(() => '')
    await probe
    if (number !== attempts) return
    if (!token) return tokens.dead ? refuse() : retry('offline')
    if (!hooks.sameUser(token)) return
    const doubted = token === socketToken && claimsOf(token).exp! * 1000 > Date.now()
    if (token === failedToken && refusals >= (doubted ? doubtedAfter : refusedAfter)) return refuse('REFUSED', token)
    if (token === tokens.dead) return refuse()
    rest()
    open(token)
  }

  // Stops until there is another token, and asks for it now and then.
  function refuse(code = tokens.deadCode, of = tokens.dead): void {
    tokens.dead = of
    tokens.deadCode = code
    attemptLater('refused', askAfter * (1 + Math.random()), code)
  }

  function retry(to: State): void {
    attemptLater(to, Math.random() * Math.min(firstPause * 2 ** failures++, maxPause))
  }

  // Opens a socket, as another one that is open or the first.
  function open(token: string): void {
    let opening: WebSocket
    try {
      opening = new WebSocket(url, ['herald', token])
    } catch { // the URL or the token cannot be sent
      if (!socket) refuse('REFUSED', token)
      return
    }
    let opened = false
    if (socket) next = opening
    else socket = opening
    const handshake = setTimeout(() => opening.close(), answerTimeout)
    opening.onopen = () => {
      clearTimeout(handshake)
      opened = true
      if (opening === next) {
        old = socket
        socket = opening
        next = undefined
      }
      begin(token)
    }
    opening.onmessage = ({ data }) => {
      if (opening === socket) {
        // Any text shows that the connection works, also one with which API Gateway refuses a message.
        graced = false
        due[pingDue] = Date.now() + pingAfter
        due[pongTimeout] = never
      }
      for (const frame of parseFrames(data)) {
        if (opening === socket) receive(frame)
        else if (opening === old) hooks.frame(frame)
      }
    }
    opening.onclose = () => {
      clearTimeout(handshake)
      if (state !== 'closed' && !opened) {
        handshakes++
        probe = unreachable(url).then((out) => {
          refusals = out ? 0 : token === failedToken ? refusals + 1 : 1
          failedToken = token
        })
      }
      lose(opening)
    }
  }

  // The socket is open.
  function begin(token: string): void {
    const now = Date.now()
    socketToken = token
    openedAt = now
    graced = welcomed = legacy = false
    handshakes = refusals = syncFailures = serverPause = retryPause = 0
    tokens.dead = ''
    firstPage(view)
    rest()
    for (const id of view.jobs.keys()) resetSilence(id, now)
    due[pingDue] = now + pingAfter
    due[firstSync] = now
    due[secondSync] = now + secondSyncAfter
    if (!old) setState('syncing')
    run()
  }

  // A socket has ended, or is to end for the reason that a closing frame says.
  function lose(ended: WebSocket, closing?: Closing): void {
    if (ended === next) next = undefined
    if (ended === old) old = undefined
    if (ended !== socket) return
    ended.close()
    old?.close()
    socket = next
    next = old = undefined
    if (socket) return rest()
    const { code, reason, reconnect } = closing ?? {}
    if (closing && !reconnect) {
      if (code !== 'TOKEN_EXPIRED') return finish({ code, reason })
      tokens.dead = socketToken
      tokens.deadCode = code
    }
    retry(closing ? 'connecting' : 'offline')
  }

  function finish(why?: Partial<Status>): void {
    attempts++
    setState('closed', why)
    rest()
    for (const one of [socket, next, old]) one?.close()
    socket = next = old = undefined
  }

  function receive(frame: Frame): void {
    const now = Date.now()
    hooks.frame(frame)
    if (state === 'closed') return
    if (isA(frame, 'closing')) return lose(socket!, frame.data)
    failures = 0
    if (view.notes.skipped) {
      view.notes.skipped = false
      due[requestedSync] = Math.min(due[requestedSync]!, now + syncPause)
    }
    resetSilence(jobIDOf(frame), now)
    if (isA(frame, 'welcome')) {
      welcomed = true
      setEnd(now + timeOf(frame.data.sessionEnd) - timeOf(frame.data.serverTime), now)
    }
    if (isA(frame, 'refreshed')) {
      const at = now + timeOf(frame.data.sessionEnd) - timeOf(frame.timestamp)
      socketToken = refreshToken
      if (at < end + 1000) due[renewDue] = never // no token prolongs it
      else setEnd(at, now)
    }
    if (isA(frame, 'synced')) pageEnded(frame.data, now)
    if (isA(frame, 'error') && !frame.id) {
      const { code } = frame.data
      if (code === 'RATE_LIMITED') serverPause = now + rateWindow
      if (code === 'INVALID_MESSAGE' && syncing) {
        firstPage(view)
        legacy = true
        retrySyncLater(now)
      }
    }
    run()
  }

  function send(message: Message | object): void {
    if (socket?.readyState === 1) socket.send(JSON.stringify(message))
  }

  function ping(now: number): void {
    due[pingDue] = now + pingAfter
    due[pongTimeout] = now + answerTimeout
    send({ action: 'ping' })
  }

  function noPong(now: number): void {
    if (graced || now - due[pongTimeout]! < lateTimer) return lose(socket!)
    graced = true
    due[pongTimeout] = now + answerTimeout
  }

  function setEnd(at: number, now: number): void {
    end = at
    if (at <= now) return // the closing frame is on its way
    due[afterEndSync] = at + endGrace
    due[renewDue] = at - Math.min(renewLead * (at - openedAt < longSession ? 1 : 1 + Math.random()), (at - now) / 2)
  }

  // Prolongs the session by another token, or has another socket take its place if no token can. It tries again after half of
  // the time that is left, as the answer may be lost.
  async function renew(now: number): Promise<void> {
    const left = (end - now) / 2
    due[renewDue] = left < 1000 ? never : now + left
    const renewed = socket
    const token = await tokens.next(false).catch(() => '')
    if (!token || renewed !== socket || next || !hooks.sameUser(token)) return
    if (end - openedAt >= longSession) open(token)
    else if (token !== socketToken) refresh(token)
  }

  function refresh(token: string): void {
    refreshToken = token
    send({ action: 'refresh', token })
  }

  // Restarts the silence of a job, of which a frame came. A job that has ended, and one that only this browser knows, has none.
  function resetSilence(id: string, since: number): void {
    const job = view.jobs.get(id)?.job
    if (!job || job.terminal || job.local) silences.delete(id)
    else silences.set(id, { since, bound: silenceAfter })
  }

  function retrySyncLater(now: number): void {
    syncing = false
    due[syncTimeout] = never
    due[retrySync] = retryPause = now + Math.min(syncPause * 2 ** syncFailures++, maxPause)
  }

  function sendSync(now: number): void {
    if (!sync.cursor) beginSync(now)
    due[retrySync] = never
    syncing = true
    due[syncTimeout] = now + answerTimeout
    due[quietSync] = now + quietSyncAfter
    send(requestPage(view, welcomed, legacy))
  }

  // Begins a new sync, for all that is due. After firstSync, quietSync and a request it takes all pages.
  function beginSync(now: number): void {
    const begun = due.map((at, which) => which >= firstSync && at <= now && (due[which] = never))
    sync.brief = (sync.brief || !begun[retrySync]) && sync.mayBeBrief && !begun[firstSync] && !begun[quietSync] && !begun[requestedSync]
    for (const silence of silences.values()) {
      if (silence.since + silence.bound <= now) silence.bound = Math.min(2 * silence.bound, maxSilence)
      silence.since = now
    }
    served.push(...waiting.splice(0))
  }

  function pageEnded(data: Synced, now: number): void {
    syncing = false
    due[syncTimeout] = due[retrySync] = never
    retryPause = 0
    if (data.retryAfter! > 0) serverPause = now + Math.min(data.retryAfter! * 1000, maxServerPause)
    const result = endPage(view, data)
    if (result === 'again') return retrySyncLater(now)
    syncFailures = 0
    if (result === 'next') {
      due[retrySync] = now
      return
    }
    hooks.completed?.()
    for (const request of served.splice(0)) hooks.frame({ type: 'sync', timestamp: '', data: { request } })
    if (waiting.length) due[requestedSync] = now
    old?.close()
    setState('live')
  }

  setState(state)
  void attempt()
  return {
    wake() {
      const now = Date.now()
      if (now - waking < wakePause) return
      waking = now
      if (!socket) void attempt()
      else if (socket.readyState === 1) {
        due[pingDue] = due[secondSync] = now
        run()
      }
    },
    close() {
      if (state !== 'closed') finish()
    },
    send(message) {
      const { action, request, token } = message
      if (action === 'sync') {
        waiting.push(request)
        if (socket?.readyState === 1) due[requestedSync] = Date.now()
        run()
      } else if (action === 'refresh') {
        if (!socket || !tokens.canAsk) tokens.give(token!)
        if (socket) refresh(token!)
        else void attempt()
      } else send(message)
    },
  }
}
