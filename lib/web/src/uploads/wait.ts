import type { Herald } from '../client/api.ts'
import { UploadError } from './errors.ts'

/** Waits, but no longer than until the network is back. As long as there is none, it waits. It rejects with an aborted signal. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let timer = setTimeout(elapsed, ms)
    function end(): void {
      clearTimeout(timer)
      removeEventListener('online', end)
      signal.removeEventListener('abort', end)
      if (signal.aborted) reject(signal.reason)
      else resolve()
    }
    function elapsed(): void {
      if (navigator.onLine === false) timer = setTimeout(elapsed, ms)
      else end()
    }
    addEventListener('online', end)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}

/** Returns a pause in milliseconds that doubles with each failure, up to a bound, and a random half of it. */
export function backoff(failures: number): number {
  return Math.min(500 * 2 ** failures, 20_000) * (0.5 + Math.random() / 2)
}

/** Waits until there is a connection, so that the client knows its user. It rejects if the client is closed. */
export function connected({ status }: Pick<Herald, 'status'>): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = status.subscribe(check)
    function check(): void {
      const { state } = status.getSnapshot()
      if (state === 'live' || state === 'syncing') resolve()
      else if (state === 'closed') reject(new UploadError('CLOSED', 'The connection is closed'))
      else return
      end()
    }
    check()
  })
}
