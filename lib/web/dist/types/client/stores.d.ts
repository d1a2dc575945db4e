import type { Store } from './api.ts';
/** A store whose value is computed when it is read after a change. */
export interface LazyStore<T> extends Store<T> {
    /** Says that the value has changed. Listeners are called by flush only. */
    touch(): void;
    flush(): void;
}
/** Returns a store of a computed value. */
export declare function lazyStore<T>(compute: () => T): LazyStore<T>;
