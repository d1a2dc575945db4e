// @vitest-environment happy-dom
import { beforeEach, expect, test } from 'vitest'
import { el } from './dom.ts'
import { type Rows, showList } from './list.ts'

let parent: HTMLElement
let rows: Rows<string>
const heading = el('h2', { tabindex: '-1' })
const created: string[] = []

const show = (...items: string[]) => showList(parent, rows, items, (item) => item, (item) => {
  created.push(item)
  return { element: el('li', {}, el('button', {}, item)), update() {} }
}, heading)
const texts = () => [...parent.children].map(({ textContent }) => textContent)
const focus = (item: string) => rows.get(item)!.element.querySelector('button')!.focus()
const focused = () => document.activeElement?.textContent

beforeEach(() => {
  parent = el('ul')
  rows = new Map()
  created.length = 0
  document.body.replaceChildren(heading, parent)
})

test('the rows are in the order of the items, and each is made once', () => {
  for (const items of [['a', 'b', 'c'], ['c', 'a', 'b'], ['d', 'b', 'a', 'c'], ['c'], [], ['a', 'c']]) {
    show(...items)
    expect(texts()).toEqual(items)
  }
  expect(created).toEqual(['a', 'b', 'c', 'd', 'a', 'c'])
})

test('the row with the focus is never moved, however the others are', () => {
  const letters = ['a', 'b', 'c', 'd', 'e']
  for (let i = 0; i < 200; i++) {
    show(...letters)
    focus('c')
    const fixed = rows.get('c')!.element
    let moves = 0
    const insert = parent.insertBefore.bind(parent)
    parent.insertBefore = ((node: Node, before: Node | null) => {
      if (node === fixed) moves++
      return insert(node, before)
    }) as typeof parent.insertBefore
    const order = letters.map((letter, at) => ({ letter, at: (at * 7 + i * 13 + (i % 3) * at * at) % 11 })).sort((a, b) => a.at - b.at).map(({ letter }) => letter)
    show(...order)
    expect(texts()).toEqual(order)
    expect(moves).toBe(0)
    expect(focused()).toBe('c')
  }
})

test('the focus of a row that leaves goes to the row in its place, to the last one, then to the heading', () => {
  show('a', 'b', 'c')
  focus('b')
  show('a', 'c')
  expect(focused()).toBe('c')
  show('a')
  expect(focused()).toBe('a')
  show()
  expect(document.activeElement).toBe(heading)
})

test('a focus elsewhere stays where it is', () => {
  show('a', 'b')
  heading.focus()
  show('b')
  expect(document.activeElement).toBe(heading)
})
