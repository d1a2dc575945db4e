import { createContext, createElement, type ReactNode, useContext, useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import { connect, findCore, type Herald, type Job, type Note, type Options, type Status } from '../client/index.ts'

/** What {@link useHerald} returns: what is shown, and the methods of the client. */
export interface HeraldHook<Meta = unknown> extends Omit<Herald<Meta>, 'jobs' | 'notes' | 'status' | 'close'> {
  readonly jobs: readonly Job<Meta>[]
  readonly notes: readonly Note<Meta>[]
  readonly status: Status
}

// What is shown before the connection, and on a server.
const nothing = { jobs: [] as readonly Job[], notes: [] as readonly Note[], status: { state: 'connecting' } as Status }
const methods = ['job', 'on', 'until', 'sync', 'refresh', 'dismiss', 'request', 'show', 'user'] as const

const Context = createContext<Options | undefined>(undefined)

// Returns options that stay the same object for the same URL and token text, or for any token function: one that is written in
// a component is another function with each render, which is no reason to connect anew. The newest of them is called.
function useStable(options: Options): Options {
  const { url, token } = options
  const [stable, setStable] = useState(options)
  const changed = url !== stable.url || token !== stable.token && !(typeof token === 'function' && typeof stable.token === 'function')
  if (changed) setStable(options)
  useEffect(() => {
    const core = findCore(stable) // none before the first render is shown
    if (core && typeof token === 'function') core.options.token = token
  })
  return changed ? options : stable
}

/** Returns the options of a hook, or those of the provider above. They are the same object until they change. */
export function useOptions(options?: Options): Options {
  const provided = useContext(Context)
  if (!options && !provided) throw new Error('useHerald: there are no options, and no HeraldProvider above')
  return useStable((options ?? provided)!)
}

// Subscribes to a store of the client while the component is mounted: that is what keeps the connection open.
function useStore<T>(options: Options, store: keyof typeof nothing, read: (herald: Omit<Herald, 'close'> | undefined) => T): T {
  const subscribe = useMemo(() => (listener: () => void) => {
    const herald = connect(options)
    const end = herald[store].subscribe(listener)
    return () => {
      end()
      herald.close()
    }
  }, [options, store])
  return useSyncExternalStore(subscribe, () => read(findCore(options)?.herald), () => read(undefined))
}

/** Connects all below it: there {@link useHerald} and {@link useJob} need no options. */
export function HeraldProvider({ children, ...options }: Options & { children?: ReactNode }): ReactNode {
  return createElement(Context.Provider, { value: useStable(options) }, children)
}

/**
 * Returns what the user should see, and the methods of the client. The component renders again when it changes. All components
 * with the same URL and token share a connection, which lives outside of React.
 */
export function useHerald<Meta = unknown>(options?: Options): HeraldHook<Meta> {
  const stable = useOptions(options)
  const jobs = useStore(stable, 'jobs', (herald) => herald?.jobs.getSnapshot() ?? nothing.jobs)
  const notes = useStore(stable, 'notes', (herald) => herald?.notes.getSnapshot() ?? nothing.notes)
  const status = useStore(stable, 'status', (herald) => herald?.status.getSnapshot() ?? nothing.status)
  const calls = useMemo(() => Object.fromEntries(methods.map((name) => [name, (...given: never[]) => {
    const herald = connect(stable)
    try {
      return (herald[name] as (...given: never[]) => unknown)(...given)
    } finally {
      herald.close()
    }
  }])), [stable])
  return useMemo(() => ({ ...calls, jobs, notes, status }), [calls, jobs, notes, status]) as HeraldHook<Meta>
}

/** Returns the newest state of a job, if one has come. The component renders again only when this job changes. */
export function useJob<Meta = unknown>(id: string, options?: Options): Job<Meta> | undefined {
  return useStore(useOptions(options), 'jobs', (herald) => herald?.job(id)) as Job<Meta> | undefined
}
