// Shows a scene. The screenshot script bundles this file and calls show.
import { newAnnouncer } from '../../src/page/announce.ts'
import { el } from '../../src/page/dom.ts'
import { newPane } from '../../src/page/pane.ts'
import { newUserMenu } from '../../src/page/users.ts'
import type { FileUpload } from '../../src/page/uploader.ts'
import { fakeHerald, setStore } from '../../test/fake.ts'
import { now, type Scene, scenes } from './scenes.ts'

Date.now = () => now

async function showScene(scene: Scene, isOneOfTwo: boolean): Promise<void> {
  const herald = fakeHerald()
  herald.status.set({ state: scene.status?.state === 'connecting' ? 'connecting' : 'live' })
  herald.jobs.set(scene.before ?? [])
  herald.notes.set(scene.notesBefore ?? [])
  const uploads = setStore<readonly FileUpload[]>([])
  const pane = newPane({
    user: scene.user ?? 'dev', herald, announcer: newAnnouncer(document.querySelector<HTMLElement>('.spoken')!),
    uploader: { uploads, add() {}, pause() {}, resume() {}, cancel() {}, close() {} },
    rejectedURL: () => '#', act() {}, summary() {},
    loadExecution: async () => scene.states && { status: 'RUNNING', start: now - 40_000, states: scene.states },
  })
  if (isOneOfTwo) pane.element.prepend(el('div', { class: 'who' }, el('h2', {}, scene.user ?? ''), pane.status))
  else document.querySelector('.right')!.prepend(pane.status)
  document.querySelector('.panes')!.append(pane.element)
  await frame()
  if (scene.rates) herald.jobs.set(scene.jobs!.map((job) => ({ ...job, ...(job.id === scene.rates!.job ? { terminal: false, status: 'running', phase: 'parse', rowsPerSecond: undefined } : {}) })))
  for (const [i, value] of (scene.rates?.values ?? []).entries()) {
    herald.setJob({ id: scene.rates!.job, rowsPerSecond: value, updatedAt: now - 20_000 + i * 1500 })
    await frame()
  }
  herald.jobs.set(scene.jobs ?? [])
  herald.notes.set([...scene.notes ?? [], ...scene.notesBefore ?? []])
  uploads.set(scene.uploads ?? [])
  if (scene.status) herald.status.set(scene.status)
  if (scene.refusedFiles) pane.add(scene.refusedFiles as unknown as File[])
  await frame()
  if (scene.status && scene.status.state !== 'syncing') await new Promise((resolve) => setTimeout(resolve, 1100)) // a short loss is not shown
  if (scene.openDetails) pane.element.querySelector('details')!.open = true
  if (scene.openNotes) pane.status.querySelector('button')!.click()
}

const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)))

const stage = {
  names: Object.keys(scenes),
  async show(name: string) {
    const scene = scenes[name]!
    const users = [{ name: 'dev', tokenUrl: '' }, { name: 'ada', tokenUrl: '' }]
    const menu = newUserMenu(users, () => {})
    if (scene.length > 1) (menu.element as HTMLSelectElement).selectedIndex = 2
    document.querySelector('.top')!.append(el('div', { class: 'right' }, menu.element))
    document.body.toggleAttribute('data-two', scene.length > 1)
    for (const one of scene) await showScene(one, scene.length > 1)
  },
}
Object.assign(window, { stage })
