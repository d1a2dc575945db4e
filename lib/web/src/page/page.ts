// The page: shows the jobs of one user, or of two side by side.
import { connect } from '../client/index.ts'
import { type Announcer, newAnnouncer } from './announce.ts'
import { type Config, ConfigError, loadConfig, tokenSource, urlFor, type User } from './config.ts'
import { el } from './dom.ts'
import { catchDrops } from './drop.ts'
import { newPane, type Pane } from './pane.ts'
import type { Execution } from './timeline.ts'
import { newUploader } from './sending.ts'
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
  let shown: { pane: Pane; close(): void }[] = []
  const titles: string[] = []
  const show = () => {
    for (const { pane, close } of shown) {
      pane.remove()
      pane.status.remove()
      close()
    }
    const users = menu.chosen()
    document.body.toggleAttribute('data-two', users.length > 1)
    titles.length = 0
    shown = users.map((user, i) => {
      const opened = open(config, user, users.length > 1, announcer, (text) => {
        titles[i] = text
        document.title = [...titles.filter(Boolean), 'Herald'].join(' – ')
      }, show)
      if (users.length > 1) opened.pane.element.prepend(el('div', { class: 'who' }, el('h2', {}, user.name), opened.pane.status))
      else menu.element.before(opened.pane.status)
      return opened
    })
    panes.replaceChildren(...shown.map(({ pane }) => pane.element))
  }
  show()
  catchDrops((files, target) => {
    const under = shown.find(({ pane }) => target instanceof Node && pane.element.contains(target)) ?? shown[0]
    under?.pane.add(files)
  })
}

function open(config: Config, user: User, isOneOfTwo: boolean, announcer: Announcer, summary: (text: string) => void, reconnect: () => void) {
  const herald = connect({ url: config.url, token: tokenSource(user) })
  const uploader = newUploader(herald)
  const pane = newPane({
    user: user.name, herald, uploader, summary,
    announcer: isOneOfTwo ? { say: (text) => announcer.say(`${user.name}: ${text}`) } : announcer,
    rejectedURL: (job) => urlFor(user.rejectedUrl, job),
    ...(user.timelineUrl ? { loadExecution: (job: string) => loadExecution(urlFor(user.timelineUrl, job)!) } : {}),
    act(action) {
      if (action === 'signIn' && config.signInUrl) location.assign(config.signInUrl)
      else if (action === 'signIn') void herald.refresh().catch(() => {})
      else reconnect()
    },
  })
  return {
    pane,
    close() {
      uploader.close()
      herald.close()
    },
  }
}

async function loadExecution(url: string): Promise<Execution | undefined> {
  const response = await fetch(url, { cache: 'no-store' })
  return response.ok ? await response.json() as Execution : undefined
}

void start()
