import { describe, expect, test, vi } from 'vitest'
import { actions, begin, last, open, page, sent, welcome } from '../../test/client.ts'
import { tokenOf } from '../../test/tabs.ts'
import { type FakeSocket, pass, settle } from '../../test/world.ts'

describe('requests', () => {
  test('a request resolves with the frame that echoes its id', async () => {
    begin()
    const herald = open()
    await settle()
    const [one, two] = [herald.request('upload', { fileName: 'a' }), herald.request('upload', { fileName: 'b' })]
    const [first, second] = sent.slice(-2)
    expect(first).toMatchObject({ action: 'upload', fileName: 'a' })
    expect(first.request).not.toBe(second.request)
    expect(first.request.length).toBeLessThanOrEqual(64)
    last().post({ type: 'upload_url', data: { request: second.request, n: 2 } })
    last().post({ type: 'upload_url', data: { request: first.request, n: 1 } })
    expect(((await one).data as any).n).toBe(1)
    expect(((await two).data as any).n).toBe(2)
  })

  test('it rejects with the error that the server answers', async () => {
    begin()
    const herald = open()
    await settle()
    const answer = herald.request('upload')
    last().post({ type: 'error', data: { code: 'UPLOADS_DISABLED', message: 'off', details: 1, request: sent.at(-1).request } })
    await expect(answer).rejects.toMatchObject({ code: 'UPLOADS_DISABLED', message: 'off', details: 1 })
  })

  test('it waits for a connection, is lost with it, and does not wait forever', async () => {
    begin()
    const herald = open()
    const early = herald.request('upload')
    await settle()
    expect(actions()).toContain('upload')
    const late = herald.request('upload')
    last().lose()
    await expect(early).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    await expect(late).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    await pass(1000)
    const unanswered = herald.request('upload')
    const failed = expect(unanswered).rejects.toMatchObject({ code: 'TIMEOUT' })
    await pass(31_000)
    await failed
    const closed = expect(herald.request('upload')).rejects.toMatchObject({ code: 'CLOSED' })
    herald.close()
    await pass(10)
    await closed
    await expect(herald.request('upload')).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('a dismissed note is gone at once; the dismissal is sent again after a lost connection', async () => {
    begin()
    const herald = open()
    await settle()
    last().post({ type: 'notification', id: '01A', data: { title: 't', message: 'm', severity: 'info' } })
    const done = vi.fn()
    void herald.dismiss('01A').then(done)
    expect(herald.notes.getSnapshot()).toEqual([])
    last().lose()
    await pass(1000)
    expect(sent.filter(({ action }) => action === 'dismiss')).toEqual([{ action: 'dismiss', id: '01A' }, { action: 'dismiss', id: '01A' }])
    expect(done).not.toHaveBeenCalled()
    last().post({ type: 'dismissed', data: { id: '01A' } })
    await settle()
    expect(done).toHaveBeenCalled()
  })

  test('a dismissal waits for a connection, however long, and is sent with it', async () => {
    let refuse = false
    begin({ refuse: () => refuse })
    const herald = open()
    await pass(10_000)
    refuse = true
    page.navigator.onLine = false
    last().lose()
    await pass(100)
    const ended = vi.fn()
    void herald.dismiss('01A').then(ended)
    await pass(600_000)
    expect(ended).not.toHaveBeenCalled()
    refuse = false
    page.navigator.onLine = true
    page.window.dispatchEvent(new Event('online'))
    await pass(100)
    expect(sent.filter(({ action }) => action === 'dismiss')).toEqual([{ action: 'dismiss', id: '01A' }])
    await pass(30_000)
    expect(ended).toHaveBeenCalledTimes(1)
  })

  test('a note that no other tab has is dismissed without an answer', async () => {
    begin()
    const herald = open()
    const done = vi.fn()
    void herald.dismiss('01A').then(done)
    await pass(31_000)
    expect(done).toHaveBeenCalled()
  })

  test('the error that answers a request is no answer to a refresh', async () => {
    begin()
    const herald = open()
    await settle()
    const ended = vi.fn()
    herald.refresh('t2').then(ended, ended)
    const request = herald.request('upload')
    await settle()
    last().post({ type: 'error', data: { request: sent.at(-1).request, code: 'UPLOAD_LIMIT', message: 'm' } })
    await expect(request).rejects.toMatchObject({ code: 'UPLOAD_LIMIT' })
    expect(ended).not.toHaveBeenCalled()
  })

  test('refresh sends a token, and says whether the server has taken it', async () => {
    begin()
    const herald = open()
    await settle()
    last().post(welcome(600))
    const good = herald.refresh('t2')
    await settle()
    expect(sent.at(-1)).toEqual({ action: 'refresh', token: 't2' })
    last().post({ type: 'refreshed', timestamp: new Date().toISOString(), data: { sessionEnd: '2026-11-22T12:00:00.000Z' } })
    await good
    const bad = herald.refresh()
    await settle()
    last().post({ type: 'error', data: { code: 'UNAUTHORIZED', message: 'Invalid token' } })
    await expect(bad).rejects.toMatchObject({ code: 'UNAUTHORIZED', message: 'Invalid token' })
  })

  test('what one user wanted to send is not sent as another user', async () => {
    const actionsOf: Record<string, string[]> = {}
    let refuse = false
    let user = 'u1'
    begin({
      refuse: () => refuse,
      sends(socket: FakeSocket, { action }) {
        (actionsOf[socket.token] ??= []).push(action)
        if (action === 'sync') queueMicrotask(() => socket.post({ type: 'synced', data: { jobs: 0, notes: 0 } }))
      },
    })
    const herald = open({ token: async () => tokenOf(user) })
    await pass(10)
    vi.stubGlobal('fetch', async () => { throw new Error('no network') })
    refuse = true
    last().lose()
    const dismissal = herald.dismiss('01A')
    const request = herald.request('upload')
    refuse = false
    user = 'u2'
    await pass(20_000)
    await expect(dismissal).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(request).rejects.toMatchObject({ code: 'CLOSED' })
    expect(herald.user()).toBe('u2')
    expect(new Set(actionsOf[tokenOf('u2')])).toEqual(new Set(['sync']))
  })
})
