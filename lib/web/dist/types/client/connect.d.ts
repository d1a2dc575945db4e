import type { Herald, Options } from './api.ts';
import { type Core } from './core.ts';
/** Returns the core in use for the options, if there is one. It is the same for the same URL and token source. */
export declare function findCore({ url, token }: Options): Core | undefined;
/**
 * Connects a user. All calls with the same URL and the same token (the same text, or the same function) share a connection,
 * which closes one macrotask after the last of them is closed. On a server it does nothing.
 */
export declare function connect<Meta = unknown>(options: Options): Herald<Meta>;
