import type { Herald, Options } from './api.ts'

/** Connects a user. Stub: the connection is not written yet. */
export function connect<Meta = unknown>(options: Options): Herald<Meta> {
  throw new Error(`not written yet: ${options.url}`)
}
