// The page: shows the jobs of one user, or of two side by side.
import { newAnnouncer } from './announce.ts'
import { type Config, ConfigError, loadConfig, urlFor, type User } from './config.ts'
import { el } from './dom.ts'
import { catchDrops } from './drop.ts'
import { newPane, type Pane } from './pane.ts'
import type { Execution } from './timeline.ts'
import { newSessions } from './sessions.ts'
import { newUserMenu } from './users.ts'

const panes = document.querySelector<HTMLElement>('.panes')!
const top = document.querySelector<HTMLElement>('.top')!

async function start(): Promise<void> {
  let config: Config
  try {
    config = await loadConfig()
  } catch (error) {
    panes.append(el('p', { class: 'alone', role: 'alert' },
      error instanceof ConfigError ? error.message : 'The server does not answer. Is it running? Start it, then load this page again.'))
    return
  }
  const announcer = newAnnouncer(document.querySelector<HTMLElement>('.spoken')!)
  const menu = newUserMenu(config.users, () => show())
  top.append(el('div', { class: 'right' }, menu.element))
  const sessions = newSessions(config.url)
  let shown: { user: User; pane: Pane }[] = []
  const titles: string[] = []
  const show = () => {
    for (const { pane } of shown) {
      pane.remove()
      pane.status.remove()
    }
    const users = menu.chosen()
    sessions.closeAllBut(users)
    document.body.toggleAttribute('data-two', users.length > 1)
    titles.length = 0
    shown = users.map((user, i) => {
      const session = sessions.open(user)
      const pane = newPane({
        user: user.name, ...session,
        announcer: users.length > 1 ? { say: (text) => announcer.say(`${user.name}: ${text}`) } : announcer,
        rejectedURL: (job) => urlFor(user.rejectedUrl, job),
        ...(user.timelineUrl ? { loadExecution: (job: string) => loadExecution(urlFor(user.timelineUrl, job)!) } : {}),
        summary(text) {
          titles[i] = text
          document.title = [...titles.filter(Boolean), 'Herald'].join(' – ')
        },
        act(action) {
          if (action === 'signIn' && config.signInUrl) location.assign(config.signInUrl)
          else if (action === 'signIn') void session.herald.refresh().catch(() => {})
          else {
            sessions.close(user)
            show()
          }
        },
      })
      if (users.length > 1) pane.element.prepend(el('div', { class: 'who' }, el('h2', {}, user.name), pane.status))
      else menu.element.before(pane.status)
      return { user, pane }
    })
    panes.replaceChildren(...shown.map(({ pane }) => pane.element))
  }
  show()
  catchDrops((files, target) => {
    const under = shown.find(({ pane }) => target instanceof Node && pane.element.contains(target)) ?? shown[0]
    under?.pane.add(files)
  })
}

async function loadExecution(url: string): Promise<Execution | undefined> {
  const response = await fetch(url, { cache: 'no-store' })
  return response.ok ? await response.json() as Execution : undefined
}

void start()
