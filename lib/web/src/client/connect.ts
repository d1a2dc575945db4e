import type { Herald, Options, TokenSource } from './api.ts'
import { type Core, newCore } from './core.ts'

// The cores in use.
const cores: { url: string; token: TokenSource; core: Core }[] = []

/** Returns the core in use for the options, if there is one. It is the same for the same URL and token source. */
export function findCore({ url, token }: Options): Core | undefined {
  return cores.find((other) => other.url === url && other.token === token)?.core
}

/**
 * Connects a user. All calls with the same URL and the same token (the same text, or the same function) share a connection,
 * which closes one macrotask after the last of them is closed. On a server it does nothing.
 */
export function connect<Meta = unknown>(options: Options): Herald<Meta> {
  let core = findCore(options)
  const onServer = typeof document === 'undefined'
  if (!core) {
    const { url, token } = options
    core = newCore({ ...options }, () => void cores.splice(cores.indexOf(entry), 1))
    const entry = { url, token, core }
    if (!onServer) cores.push(entry)
  }
  return { ...core.herald, close: onServer ? () => {} : core.use() } as Herald<Meta>
}
