import type { Herald } from '../client/api.ts';
/** Waits, but no longer than until the network is back. As long as there is none, it waits. It rejects with an aborted signal. */
export declare function pause(ms: number, signal: AbortSignal): Promise<void>;
/** Returns a pause in milliseconds that doubles with each failure, up to a bound, and a random half of it. */
export declare function backoff(failures: number): number;
/** Waits until there is a connection, so that the client knows its user. It rejects if the client is closed. */
export declare function connected({ status }: Pick<Herald, 'status'>): Promise<void>;
