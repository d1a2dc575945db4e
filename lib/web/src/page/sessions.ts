import { connect, type Herald } from '../client/index.ts'
import { tokenSource, type User } from './config.ts'
import { newUploader } from './sending.ts'
import type { Uploader } from './uploader.ts'

/** The connection of a user, and the files that the user sends. */
export interface Session {
  readonly herald: Herald
  readonly uploader: Uploader
}

/** The sessions of the page's users. One whose user is not shown stays open while it sends files. */
export interface Sessions {
  open(user: User): Session
  close(user: User): void
  closeAllBut(users: readonly User[]): void
}

/** Returns the sessions, which connect to the URL. */
export function newSessions(url: string, create = newSession): Sessions {
  const all = new Map<User, Session>()
  const close = (user: User) => {
    const session = all.get(user)
    all.delete(user)
    session?.uploader.close()
    session?.herald.close()
  }
  return {
    open(user) {
      const session = all.get(user) ?? create(url, user)
      all.set(user, session)
      return session
    },
    close,
    closeAllBut(users) {
      for (const [user, { uploader }] of [...all]) {
        const busy = uploader.uploads.getSnapshot().some(({ state }) => state === 'sending' || state === 'waiting')
        if (!users.includes(user) && !busy) close(user)
      }
    },
  }
}

function newSession(url: string, user: User): Session {
  const herald = connect({ url, token: tokenSource(user) })
  return { herald, uploader: newUploader(herald) }
}
