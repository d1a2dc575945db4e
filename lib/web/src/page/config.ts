import type { TokenAsk } from '../client/index.ts'

/** One user of the page. */
export interface User {
  name: string
  /** A POST to it answers `{"token": "…"}`. */
  tokenUrl: string
  /** Where the rejected rows of a job are found; `{job}` stands for its id. */
  rejectedUrl?: string
  /** Where the states of a job's execution are found, as the twin answers them. */
  timelineUrl?: string
}

/** What herald.config.json holds. */
export interface Config {
  /** The WebSocket URL, without a token. */
  url: string
  users: User[]
  /** Where a person signs in again. Without it, the page asks for another token. */
  signInUrl?: string
}

/** An error that says what is wrong with the page's installation. */
export class ConfigError extends Error {}

/** Returns the configuration that a JSON value is, or throws with its fault. */
export function parseConfig(value: unknown): Config {
  const { url, users, signInUrl } = (value ?? {}) as Partial<Config>
  if (typeof url !== 'string' || !/^wss?:\/\//.test(url)) throw new ConfigError('herald.config.json: url must be a WebSocket URL, such as wss://…/prod')
  if (!Array.isArray(users) || users.length === 0) throw new ConfigError('herald.config.json: users must name one user or more')
  for (const user of users as Partial<User>[]) {
    if (typeof user?.name !== 'string' || typeof user.tokenUrl !== 'string') throw new ConfigError('herald.config.json: each user needs a name and a tokenUrl')
  }
  if (signInUrl !== undefined && !/^(https?:\/\/|\/(?![/\\]))/i.test(signInUrl)) throw new ConfigError('herald.config.json: signInUrl must be https, http or a path')
  return { url, users, ...(signInUrl ? { signInUrl } : {}) }
}

/** Loads the configuration of the page, or throws with its fault. */
export async function loadConfig(): Promise<Config> {
  const response = await fetch('herald.config.json', { cache: 'no-store' })
  if (!response.ok) throw new ConfigError(`herald.config.json could not be read (${response.status})`)
  return parseConfig(await response.json())
}

/** Returns a token source that asks the user's token URL anew for each connection. */
export function tokenSource({ tokenUrl }: User): (ask: TokenAsk) => Promise<string> {
  return async ({ refused }) => {
    const response = await fetch(tokenUrl, {
      method: 'POST', credentials: 'same-origin', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ refused }),
    })
    if (!response.ok) throw new Error(`no token (${response.status})`)
    const { token } = await response.json() as { token?: unknown }
    if (typeof token !== 'string') throw new Error('no token in the answer')
    return token
  }
}

/** Puts a job's id into a URL of the configuration. */
export function urlFor(template: string | undefined, job: string): string | undefined {
  return template?.replaceAll('{job}', encodeURIComponent(job))
}
