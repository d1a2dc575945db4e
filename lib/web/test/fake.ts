import type { Frame, Herald, Job, LocalState, Note, Status, Store } from '../src/client/api.ts'

/** A store that a test sets. */
export interface SetStore<T> extends Store<T> {
  set(value: T): void
}

export function setStore<T>(value: T): SetStore<T> {
  const listeners = new Set<() => void>()
  return {
    getSnapshot: () => value,
    subscribe(listener) {
      const own = () => listener()
      listeners.add(own)
      return () => listeners.delete(own)
    },
    set(next) {
      value = next
      for (const listener of [...listeners]) listener()
    },
  }
}

/** A client without a connection: a test sets what it shows, and answers what is requested of it. */
export interface FakeHerald<Meta = unknown> extends Herald<Meta> {
  readonly jobs: SetStore<readonly Job<Meta>[]>
  readonly notes: SetStore<readonly Note<Meta>[]>
  readonly status: SetStore<Status>
  /** Adds a job, or replaces the one with its id. */
  setJob(job: Partial<Job<Meta>> & { id: string }): void
  /** Calls the listeners of `on`. */
  emit(frame: Partial<Frame> & { type: string }): void
  /** What was requested, shown and dismissed, in order. */
  readonly calls: { what: string; with: unknown }[]
  /** Answers requests. By default they wait forever. */
  answer: (action: string, fields: Record<string, unknown>) => Promise<Frame>
}

export function fakeJob<Meta = unknown>(job: Partial<Job<Meta>> & { id: string }): Job<Meta> {
  const status = job.status ?? 'running'
  const name = job.title ?? job.fileName ?? 'parts-list.csv'
  return {
    type: 'upload_progress',
    epoch: '2026-11-22T10:00:00.000Z#0000',
    seq: 1,
    status,
    phase: '',
    progress: 0,
    title: name,
    fileName: name,
    message: '',
    terminal: ['succeeded', 'failed', 'cancelled'].includes(status),
    updatedAt: Date.UTC(2026, 10, 22, 10),
    ...job,
  }
}

export function fakeHerald<Meta = unknown>(): FakeHerald<Meta> {
  const jobs = setStore<readonly Job<Meta>[]>([])
  const notes = setStore<readonly Note<Meta>[]>([])
  const status = setStore<Status>({ state: 'live' })
  const listeners = new Map<string, Set<(frame: Frame<never>) => void>>()
  const calls: { what: string; with: unknown }[] = []
  const called = (what: string, value?: unknown) => { calls.push({ what, with: value }) }
  const fake: FakeHerald<Meta> = {
    jobs, notes, status, calls,
    user: () => 'u1',
    job: (id) => jobs.getSnapshot().find((job) => job.id === id),
    setJob(job) {
      const known = jobs.getSnapshot()
      const next = fakeJob<Meta>({ ...known.find((other) => other.id === job.id), ...job })
      jobs.set(known.some((other) => other.id === job.id) ? known.map((other) => (other.id === job.id ? next : other)) : [next, ...known])
    },
    emit(frame) {
      for (const listener of listeners.get(frame.type) ?? []) listener({ timestamp: '', data: {}, ...frame } as Frame<never>)
    },
    on(type, listener) {
      const set = listeners.get(type) ?? new Set()
      listeners.set(type, set.add(listener as (frame: Frame<never>) => void))
      return () => set.delete(listener as (frame: Frame<never>) => void)
    },
    until: (id) => new Promise((resolve) => {
      const check = () => {
        const job = fake.job(id)
        if (job?.terminal) resolve(job)
        return job?.terminal
      }
      if (!check()) jobs.subscribe(check)
    }),
    sync: async () => called('sync'),
    refresh: async (token) => called('refresh', token),
    dismiss: async (id) => {
      called('dismiss', id)
      notes.set(notes.getSnapshot().filter((note) => note.id !== id))
    },
    answer: () => new Promise(() => {}),
    request: (action, fields = {}) => {
      called(action, fields)
      return fake.answer(action, fields) as Promise<Frame<never>>
    },
    show(state: LocalState) {
      called('show', state)
      fake.setJob({ ...state, id: state.uploadId, epoch: '', seq: 0, local: true, terminal: fakeJob({ id: '', status: state.status }).terminal } as Partial<Job<Meta>> & { id: string })
    },
    close: () => called('close'),
  }
  return fake
}
