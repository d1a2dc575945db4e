import type { Store } from './api.ts';
/** A store of a value that something else holds. */
export interface ValueStore<T> extends Store<T> {
    /** Calls the listeners, if the value has changed since the last time. */
    flush(): void;
}
/** Calls a function of the application. Its exception is reported by the browser, and stops nothing else. */
export declare function callSafely<T>(call: (value: T) => void, value?: T): void;
/** Returns a store of the value that getSnapshot returns. */
export declare function storeOf<T>(getSnapshot: () => T): ValueStore<T>;
