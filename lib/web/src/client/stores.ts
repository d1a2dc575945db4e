import type { Store } from './api.ts'

/** A store of a value that something else holds. */
export interface ValueStore<T> extends Store<T> {
  /** Calls the listeners, if the value has changed since the last time. */
  flush(): void
}

/** Returns a store of the value that getSnapshot returns. */
export function storeOf<T>(getSnapshot: () => T): ValueStore<T> {
  const listeners = new Set<[() => void]>()
  let told = getSnapshot()
  return {
    getSnapshot,
    subscribe(listener) {
      const entry: [() => void] = [listener] // a function may subscribe twice
      listeners.add(entry)
      return () => listeners.delete(entry)
    },
    flush() {
      if (told === (told = getSnapshot())) return
      for (const [listener] of [...listeners]) listener()
    },
  }
}
