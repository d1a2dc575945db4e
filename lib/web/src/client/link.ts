import type { Frame, LocalState, Status } from './api.ts'
import { answerTimeout } from './limits.ts'
import type { View } from './view.ts'

/** A message to the server: JSON with an action. */
export interface Message {
  action: string
  /** An id that the answer has, too. */
  request?: string
  token?: string
}

/** Reaches the server, by a socket of its own or of another tab. */
export interface Link {
  /**
   * Sends a message, if there is a connection. A sync is not sent as it is: a frame with its `request` says when everything
   * has come that the server has now. A refresh connects where there is no connection.
   */
  send(message: Message): void
  /**
   * Looks after the connection, as the browser is awake again or the network is back. If the event is `freeze`, the browser is
   * about to freeze this tab: the connection is left to another one.
   */
  wake(event?: string): void
  close(): void
  /** Shows a state that this browser made itself to the origin's other tabs. */
  show?(state: LocalState): void
}

/** What a connection reports to its core, and asks it. */
export interface ConnectionHooks {
  view: View
  frame(frame: Frame): void
  status(status: Status): void
  /** Whether the token is of the same user as those before. If not, the connection is of no use any more. */
  sameUser(token: string): boolean
  /** A sync is complete. */
  completed?(): void
}

/** Returns whether the server cannot be reached at all, so that a failed handshake says nothing about the token. */
export async function unreachable(url: string): Promise<boolean> {
  const online = navigator.onLine
  try {
    if (online) await fetch(url.replace('ws', 'http'), { mode: 'no-cors', signal: AbortSignal.timeout(answerTimeout) })
    return online === false
  } catch {
    return true
  }
}
