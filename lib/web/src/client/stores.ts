import type { Store } from './api.ts'

/** A store of a value that something else holds. */
export interface ValueStore<T> extends Store<T> {
  /** Calls the listeners, if the value has changed since the last time. */
  flush(): void
}

/** Calls a function of the application. Its exception is reported by the browser, and stops nothing else. */
export function callSafely<T>(call: (value: T) => void, value?: T): void {
  try {
    call(value!)
  } catch (error) {
    void Promise.reject(error)
  }
}

/** Returns a store of the value that getSnapshot returns. */
export function storeOf<T>(getSnapshot: () => T): ValueStore<T> {
  const listeners = new Set<[() => void]>()
  let last = getSnapshot() // what the listeners know
  return {
    getSnapshot,
    subscribe(listener) {
      const entry: [() => void] = [listener] // a function may subscribe twice
      listeners.add(entry)
      return () => listeners.delete(entry)
    },
    flush() {
      if (last === (last = getSnapshot())) return
      for (const [listener] of [...listeners]) callSafely(listener)
    },
  }
}
