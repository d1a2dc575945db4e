import type { Herald, Options } from './api.ts';
/** Connects a user. Stub: the connection is not written yet. */
export declare function connect<Meta = unknown>(options: Options): Herald<Meta>;
