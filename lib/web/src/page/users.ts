import { el } from './dom.ts'
import type { User } from './config.ts'

const both = '\n' // no user has this name
const stored = 'herald.users'

/** Lets a person choose whose jobs are shown, where there is a choice. */
export interface UserMenu {
  readonly element: HTMLElement
  /** The users that are chosen: one, or the first two. */
  chosen(): readonly User[]
}

/** Returns a menu of the users. Changed is called when a person chooses. */
export function newUserMenu(users: readonly User[], changed: () => void): UserMenu {
  const select = el('select', { 'aria-label': 'Whose jobs are shown', change: () => {
    remember(select.value)
    changed()
  } }, ...users.map(({ name }) => el('option', { value: name }, name)))
  if (users.length > 1) select.append(el('option', { value: both }, `${users[0]!.name} and ${users[1]!.name}, side by side`))
  const before = recall()
  if ([...select.options].some(({ value }) => value === before)) select.value = before!
  select.hidden = users.length < 2
  return {
    element: select,
    chosen: () => (select.value === both ? users.slice(0, 2) : users.filter(({ name }) => name === select.value)),
  }
}

function remember(value: string): void {
  try {
    sessionStorage.setItem(stored, value)
  } catch { /* storage is switched off */ }
}

function recall(): string | null {
  try {
    return sessionStorage.getItem(stored)
  } catch {
    return null
  }
}
