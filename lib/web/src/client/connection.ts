import type { Frame, LocalState, State, Status } from './api.ts'
import {
  answerTimeout, attemptPause, doubtedAfter, firstAsk, firstPause, maxAsk, maxPause, maxRefusals, refusedAfter, requestTimeout,
} from './limits.ts'
import { type Message, openSession, type Owner, type Session } from './session.ts'
import { newSync } from './sync.ts'
import { claimsOf, type Tokens } from './tokens.ts'
import type { View } from './view.ts'

/** Reaches the server, by a socket of its own or of another tab. */
export interface Link {
  /**
   * Sends a message, if there is a connection. A sync is not sent as it is: a frame with its `request` says when everything
   * has come that the server has now. A refresh connects where there is no connection.
   */
  send(message: Message): void
  /** Looks after the connection, as the browser is awake again or the network is back. */
  wake(): void
  close(): void
  /** Shows a state that this browser made itself to the origin's other tabs. */
  show?(state: LocalState, timestamp: string): void
}

export interface ConnectionHooks {
  view: View
  frame(frame: Frame): void
  status(status: Status): void
  /** Whether the token is of the same user as those before. If not, the connection is of no use any more. */
  sameUser(token: string): boolean
  /** A sync is complete. */
  synced?(): void
}

// Returns whether the server cannot be reached at all, so that a failed handshake says nothing about the token.
async function unreachable(url: string): Promise<boolean> {
  const online = globalThis.navigator?.onLine
  try {
    if (online) await fetch(url.replace('ws', 'http'), { mode: 'no-cors', cache: 'no-store', signal: AbortSignal.timeout(answerTimeout) })
    return online === false
  } catch {
    return true
  }
}

/** Connects, and stays connected until it is closed. */
export function openConnection(url: string, tokens: Tokens, hooks: ConnectionHooks): Link {
  let session: Session | undefined
  let replacement: Session | undefined
  let state: State = 'connecting'
  let timer: ReturnType<typeof setTimeout> | undefined
  let attempts = 0 // counts them, so that an old one is told from the newest
  let lastAttempt = 0
  let failures = 0 // connections in a row without a frame
  let handshakes = 0 // in a row that failed
  const refusals = new Map<string, number>() // such handshakes with each token, while the server could be reached
  let probe: Promise<void> | undefined // whether it can
  let goodToken = '' // the last one that opened a connection
  let asks = 0 // for another token, in a row
  let waiters: { request?: string; begun?: boolean }[] = [] // for a sync that begins after they came

  function setState(next: State, more?: Partial<Status>): void {
    state = next
    hooks.status({ state, ...more })
  }

  // Tries again after a pause, unless there is nothing to wait for.
  function attemptLater(next: State, pause: number, code?: string): void {
    const retry = !code || tokens.canAsk
    setState(next, { code, retryAt: retry ? Date.now() + pause : undefined })
    clearTimeout(timer)
    if (retry) timer = setTimeout(attempt, pause)
  }

  async function attempt(renewal?: string): Promise<void> {
    clearTimeout(timer)
    const mine = ++attempts
    lastAttempt = Date.now()
    if (!renewal) {
      timer = setTimeout(attempt, requestTimeout) // in case that the application does not return a token
      if (state !== 'offline' && state !== 'refused') setState('connecting')
    }
    const token = renewal ?? await tokens.next(!!tokens.dead || handshakes >= refusedAfter).catch(() => '')
    await probe
    if (state === 'closed' || mine !== attempts) return
    clearTimeout(timer)
    if (!token && !tokens.dead) return retry('offline')
    if (token && !hooks.sameUser(token)) return
    if (!renewal) {
      const valid = token === goodToken && claimsOf(token).exp! * 1000 > lastAttempt
      if (refusals.get(token)! >= (valid ? doubtedAfter : refusedAfter)) return refuse('REFUSED', token)
      if (!token || token === tokens.dead) return refuse()
    }
    try {
      const opened = openSession(url, token, owner)
      if (renewal) replacement = opened
      else session = opened
    } catch { // the URL or the token cannot be sent
      if (!renewal) refuse('REFUSED', token)
    }
  }

  // Stops until there is another token, and asks for it now and then.
  function refuse(code = tokens.deadCode, token = tokens.dead): void {
    tokens.dead = token
    tokens.deadCode = code
    attemptLater('refused', Math.min(firstAsk * 2 ** asks++, maxAsk) * (1 + Math.random()) / 2, code)
  }

  function retry(next: State): void {
    attemptLater(next, Math.random() * Math.min(firstPause * 2 ** failures++, maxPause))
  }

  const owner: Owner = {
    view: hooks.view,
    sync: newSync(),
    tokens,
    frame: hooks.frame,
    opened(opened) {
      goodToken = opened.token
      handshakes = asks = 0
      refusals.clear()
      tokens.dead = ''
      if (opened === replacement) return session!.retire()
      setState('syncing')
    },
    syncWanted(begun) {
      if (begun) for (const waiter of waiters) waiter.begun = true
      return waiters.some((waiter) => !waiter.begun)
    },
    synced(of) {
      hooks.synced?.()
      for (const { begun, request } of waiters) if (begun) hooks.frame({ type: 'sync', timestamp: '', data: { request } })
      waiters = waiters.filter((waiter) => !waiter.begun)
      if (of === replacement) {
        const old = session
        session = of
        replacement = undefined
        old!.close()
      }
      if (state !== 'live') setState('live')
    },
    renew(token) {
      if (!replacement) void attempt(token)
    },
    ended(of, closing) {
      if (state === 'closed') return
      if (of.worked) failures = 0
      if (!of.opened) {
        handshakes++
        probe = unreachable(url).then((out) => {
          if (refusals.size > maxRefusals) refusals.clear()
          if (!out) refusals.set(of.token, (refusals.get(of.token) ?? 0) + 1)
        })
      }
      if (of === replacement) replacement = undefined
      if (of !== session) return
      session = replacement
      replacement = undefined
      if (session) return
      const { code, reason, reconnect } = closing?.data ?? {}
      if (closing && !reconnect) {
        if (code !== 'TOKEN_EXPIRED') return end({ code, reason })
        tokens.dead = of.token
        tokens.deadCode = code
      }
      retry(closing ? 'connecting' : 'offline')
    },
  }

  function end(why?: Partial<Status>): void {
    setState('closed', why)
    clearTimeout(timer)
    replacement?.close()
    session?.close()
  }

  void attempt()
  return {
    wake() {
      if (session?.opened) session.wake()
      else if (!session && state !== 'closed' && Date.now() - lastAttempt > attemptPause) void attempt()
    },
    close() {
      if (state !== 'closed') end()
    },
    send(message) {
      const { action, request, token } = message
      if (action === 'sync') {
        waiters.push({ request })
        if (session?.opened) session.syncSoon()
      } else {
        if (action === 'refresh' && (!session || !tokens.canAsk)) tokens.give(token!)
        if (session) session.send(message)
        else if (action === 'refresh') void attempt()
      }
    },
  }
}
