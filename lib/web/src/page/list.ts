/** An element that shows one item of a list. */
export interface Row<T> {
  readonly element: HTMLElement
  update(item: T): void
  /** Called when the item has left the list. */
  remove?(): void
}

/** The rows of a list, by the keys of their items. */
export type Rows<T> = Map<string, Row<T>>

/**
 * Shows items as the children of parent, in their order. An item keeps its element as long as it is in the list, and the
 * element that has the focus is never moved. If its row leaves, the focus goes to the row at the same place, else to the last
 * one, else to fallback, so that a person who uses the keyboard does not start at the top of the page again.
 */
export function showList<T>(
  parent: HTMLElement, rows: Rows<T>, items: readonly T[], keyOf: (item: T) => string, create: (item: T) => Row<T>, fallback?: HTMLElement,
): void {
  const keys = new Set(items.map(keyOf))
  const active = document.activeElement
  const focused = active && parent.contains(active) ? active : undefined
  let lostAt = -1
  for (const [key, row] of [...rows]) {
    if (keys.has(key)) continue
    if (focused && row.element.contains(focused)) lostAt = [...parent.children].indexOf(row.element)
    row.element.remove()
    row.remove?.()
    rows.delete(key)
  }

  const wanted = items.map((item) => {
    const key = keyOf(item)
    let row = rows.get(key)
    if (!row) rows.set(key, (row = create(item)))
    row.update(item)
    return row.element
  })
  place(parent, wanted, focused)
  if (lostAt >= 0) focusRow(wanted[Math.min(lostAt, wanted.length - 1)], fallback)
}

/** Puts the elements in their order without moving the one that contains the focus: a moved element loses it. */
function place(parent: HTMLElement, wanted: readonly HTMLElement[], focused?: Element): void {
  let cursor = parent.firstElementChild
  for (const element of wanted) {
    if (element === cursor || focused && element.parentElement === parent && element.contains(focused)) cursor = element.nextElementSibling
    else parent.insertBefore(element, cursor)
  }
}

function focusRow(row: HTMLElement | undefined, fallback?: HTMLElement): void {
  const target = row?.querySelector<HTMLElement>('button:not([hidden]), a[href], summary') ?? fallback
  target?.focus()
}
