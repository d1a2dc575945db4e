import { afterEach, expect, test, vi } from 'vitest'
import { parseConfig, tokenSource, urlFor } from './config.ts'

afterEach(() => vi.unstubAllGlobals())

const user = { name: 'dev', tokenUrl: '/token' }

test('a configuration names its fault', () => {
  expect(parseConfig({ url: 'wss://x/prod', users: [user] })).toEqual({ url: 'wss://x/prod', users: [user] })
  for (const [value, fault] of [
    [undefined, 'url must'], [{ url: 'https://x', users: [user] }, 'url must'], [{ url: 'wss://x', users: [] }, 'users must'],
    [{ url: 'wss://x', users: [{ name: 'a' }] }, 'tokenUrl'], [{ url: 'wss://x', users: [user], signInUrl: 'javascript:1' }, 'signInUrl'],
  ] as const) expect(() => parseConfig(value)).toThrow(fault)
})

test('the token is asked for by POST, and the request says whether the last one was refused', async () => {
  const requests: unknown[] = []
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    requests.push([url, init.method, init.body])
    return Response.json({ token: 't' })
  })
  expect(await tokenSource(user)({ refused: true })).toBe('t')
  expect(requests).toEqual([['/token', 'POST', '{"refused":true}']])
  for (const answer of [new Response('', { status: 401 }), Response.json({})]) {
    vi.stubGlobal('fetch', async () => answer)
    await expect(tokenSource(user)({ refused: false })).rejects.toThrow('no token')
  }
})

test('a job\'s id is one part of a URL', () => {
  expect(urlFor('/t?job={job}', 'a&b/c')).toBe('/t?job=a%26b%2Fc')
  expect(urlFor(undefined, 'a')).toBeUndefined()
})
