// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { catchDrops, newDropZone } from './drop.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

// Sends a drag event, and returns whether the page keeps the browser from opening what is dropped.
function drag(type: string, target: EventTarget, files: File[], types = ['Files']): boolean {
  const event = new Event(type, { bubbles: true, cancelable: true })
  Object.assign(event, { dataTransfer: { types, files } })
  target.dispatchEvent(event)
  return event.defaultPrevented
}

test('files can be dropped anywhere, and the pane under the pointer is marked meanwhile', async () => {
  const [one, two] = [document.createElement('section'), document.createElement('section')]
  one.className = two.className = 'pane'
  document.body.replaceChildren(one, two)
  const dropped = vi.fn()
  catchDrops(dropped)
  const over = () => [one, two].map((pane) => pane.getAttribute('data-over') !== null)
  const file = new File(['a'], 'a.csv')

  expect(drag('dragover', two, [])).toBe(true)
  expect(over()).toEqual([false, true])
  expect(drag('dragover', document.body, [])).toBe(true)
  expect(over()).toEqual([true, false])
  await vi.advanceTimersByTimeAsync(300)
  expect(over()).toEqual([false, false])

  expect(drag('drop', document.body, [file])).toBe(true)
  expect(dropped).toHaveBeenCalledExactlyOnceWith([file], document.body)
  expect(drag('drop', document.body, [], ['text/plain'])).toBe(false)
  expect(dropped).toHaveBeenCalledTimes(1)
})

test('what is wrong with the connection is said in the place for files, with a way out', () => {
  const act = vi.fn()
  const zone = newDropZone(() => {}, act)
  document.body.replaceChildren(zone.element)
  const way = zone.element.querySelector<HTMLButtonElement>('.primary')!
  const choose = zone.element.querySelector<HTMLButtonElement>('.link')!
  expect(way.hidden).toBe(true)

  zone.show({ label: 'Signed out', tone: 'bad', notice: 'Sign in.', action: 'signIn' })
  expect(zone.element.querySelector('.notice')!.textContent).toBe('Sign in.')
  way.focus()
  way.click()
  expect(act).toHaveBeenCalledExactlyOnceWith('signIn')

  zone.show({ label: 'Live', tone: 'good' })
  expect(way.hidden).toBe(true)
  expect(document.activeElement).toBe(choose)
})
