import { openTabs } from '../tabs/tabs.ts'
import { type Frame, type Herald, HeraldError, type LocalState, type Options, type Status, type TokenSource } from './api.ts'
import { openConnection } from './connection.ts'
import { isA } from './frames.ts'
import type { Link, Message } from './link.ts'
import { flushEvery, requestTimeout } from './limits.ts'
import { callSafely, storeOf } from './stores.ts'
import { tokensOf, userOf } from './tokens.ts'
import { apply, applyLocal, emptyView, listJobs, type View } from './view.ts'

/** What the frames of one user become, and the link that they come by. One core serves all who connect alike. */
export interface Core {
  readonly herald: Omit<Herald, 'close'>
  /** The options. Their token function may be replaced by a newer one of the same kind. */
  readonly options: Options
  /** The token source that the core was made for. */
  readonly source: TokenSource
  /** Begins a use: the first one connects. Returns a function that ends it: the last one closes, one macrotask later. */
  use(): () => void
}

// A message whose answer someone waits for.
interface Exchange {
  message: Message
  answers(frame: Frame): boolean
  /** Whether it is sent again after a lost connection. */
  again: boolean
  sent?: boolean
  end(error?: Error, answer?: Frame): void
}

/** Returns a core that connects with its first use, and calls onClose when it has closed for good. */
export function newCore(options: Options, onClose: () => void): Core {
  let view: View = emptyView()
  let status: Status = { state: 'connecting' }
  let tokens = tokensOf(options)
  let link: Link | undefined
  let user = ''
  let users = 0
  let flushing: ReturnType<typeof setTimeout> | undefined
  const closing = new AbortController()
  const listeners = new Set<[type: string, call: (frame: Frame) => void]>()
  let requests = Math.random() // so that no two tabs have the same ids
  const exchanges = new Set<Exchange>()
  const jobs = storeOf(() => listJobs(view))
  const notes = storeOf(() => view.notes.shown)
  const statuses = storeOf(() => status)

  function flush(): void {
    clearTimeout(flushing)
    flushing = undefined
    for (const store of [jobs, notes, statuses]) store.flush()
  }

  // Something has changed. The listeners are called soon: after what runs now, or once for many frames of a sync.
  function changed(): void {
    if (status.state === 'syncing') flushing ??= setTimeout(flush, flushEvery)
    else queueMicrotask(flush)
  }

  const connected = (): boolean => status.state === 'live' || status.state === 'syncing'

  function setStatus(next: Status): void {
    if (JSON.stringify(next) === JSON.stringify(status)) return
    const was = connected()
    status = next
    changed()
    if (connected() !== was) {
      for (const one of exchanges) {
        if (!was) send(one)
        else if (one.sent && !one.again) one.end(new HeraldError('CONNECTION_LOST'))
      }
    }
  }

  function receive(frame: Frame): void {
    for (const one of exchanges) if (one.answers(frame)) one.end(undefined, frame)
    if (!apply(view, frame)) return
    changed()
    for (const [type, call] of [...listeners]) if (type === frame.type) callSafely(call, frame)
  }

  function send(one: Exchange): void {
    one.sent = true
    link!.send(one.message)
  }

  // Sends a message now or with the next connection, and waits for its answer.
  function exchange(message: Message, again: boolean, answers: (frame: Frame) => boolean): Promise<any> {
    const promise = new Promise((resolve, reject) => {
      if (!link) return reject(new HeraldError('CLOSED'))
      const one: Exchange = {
        message, again, answers,
        end(error, answer) {
          clearTimeout(timer)
          exchanges.delete(one)
          if (answer && isA(answer, 'error')) {
            const { code, message: text, details } = answer.data
            error = new HeraldError(code, text, details)
          }
          if (error) reject(error)
          else resolve(answer)
        },
      }
      const timer = setInterval(() => {
        // A dismissal that was sent has no answer if there is no such note.
        if (!again || connected() && message.action !== 'sync') one.end(again ? undefined : new HeraldError('TIMEOUT'))
      }, requestTimeout)
      exchanges.add(one)
      if (connected() || message.token) send(one)
    })
    promise.catch(() => {}) // nobody has to wait
    return promise
  }

  function request(action: string, fields?: { request?: string }, again = false): Promise<any> {
    const id = fields?.request ?? `${++requests}`
    return exchange({ ...fields, action, request: id }, again, ({ data }) => (data as Message | undefined)?.request === id)
  }

  function show(state: LocalState): void {
    if (applyLocal(view, state)) changed()
  }

  function endAll(): void {
    for (const one of exchanges) one.end(new HeraldError('CLOSED'))
  }

  function start(first?: string): void {
    if (first) {
      endAll()
      view = emptyView()
      tokens = tokensOf(options, first)
    }
    user = ''
    const hooks = {
      view, show,
      frame: receive,
      status: setStatus,
      sameUser(token: string): boolean {
        const other = userOf(token)
        const same = !user || other === user
        if (same) user = other
        else { // nothing of the user before may stay
          link!.close()
          start(token)
        }
        return same
      },
    }
    setStatus({ state: 'connecting' })
    link = (options.tabs === false ? openConnection : openTabs)(options.url, tokens, hooks)
  }

  return {
    options,
    source: options.token,
    herald: {
      jobs, notes,
      status: statuses,
      job: (id) => view.jobs.get(id)?.job,
      user: () => user,
      on(type, listener) {
        const entry: [string, (frame: Frame) => void] = [type, listener as never]
        listeners.add(entry)
        return () => listeners.delete(entry)
      },
      until: (id, { signal } = {}) => new Promise((resolve, reject) => {
        const end = jobs.subscribe(check)
        signal?.addEventListener('abort', check)
        check()
        function check(): void {
          const job = view.jobs.get(id)?.job
          if (signal?.aborted) reject(signal.reason)
          else if (job?.terminal) resolve(job)
          else return
          end()
        }
      }),
      sync: () => request('sync', {}, true),
      async refresh(token) {
        token ??= await tokens.next(false)
        return exchange({ action: 'refresh', token }, false, (frame) => (
          frame.type === 'refreshed' || frame.type === 'welcome' || isA(frame, 'error') && !frame.id && !(frame.data as { request?: string }).request
        ))
      },
      dismiss(id) {
        receive({ type: 'dismissed', timestamp: '', data: { id } })
        return exchange({ action: 'dismiss', id } as Message, true, (frame) => isA(frame, 'dismissed') && frame.data.id === id)
      },
      request,
      show(state) {
        show(state)
        link?.show?.(state)
      },
    },
    use() {
      if (!users++ && !link) {
        for (const type of ['online', 'offline', 'pageshow', 'visibilitychange', 'freeze']) {
          addEventListener(type, () => {
            if (!document.hidden || type === 'freeze') link?.wake(type)
          }, { capture: true, signal: closing.signal })
        }
        start()
      }
      let used = 1
      return () => {
        users -= used
        used = 0
        setTimeout(() => {
          if (users || !link) return
          onClose()
          closing.abort()
          const last = link
          link = undefined
          endAll()
          last.close()
        })
      }
    },
  }
}
