import type { Herald, Options } from './api.ts'
import { type Core, newCore } from './core.ts'

// The cores in use.
const cores: Core[] = []

/** Returns the core in use for the options, if there is one. It is the same for the same URL and token source. */
export function findCore({ url, token }: Options): Core | undefined {
  return cores.find(({ options, source }) => options.url === url && source === token)
}

/**
 * Connects a user. All calls with the same URL and the same token (the same text, or the same function) share a connection,
 * which closes one macrotask after the last of them is closed. On a server it does nothing.
 */
export function connect<Meta = unknown>(options: Options): Herald<Meta> {
  let core = findCore(options)
  const onServer = typeof document === 'undefined'
  if (!core) {
    const created = core = newCore({ ...options }, () => void cores.splice(cores.indexOf(created), 1))
    if (!onServer) cores.push(core)
  }
  return { ...core.herald, close: onServer ? () => {} : core.use() } as Herald<Meta>
}
