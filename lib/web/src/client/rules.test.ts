// Runs the table of client rules. Its README.md says what the fields mean.
import { readFileSync, readdirSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { beginTest, endTest, type FakeSocket, pass, settle, startTime } from '../../test/world.ts'
import type { Frame, Herald } from './api.ts'

// With HERALD_DIST the built file is tested.
const { connect } = (await import(process.env.HERALD_DIST ? '../../dist/herald.js' : './connect.ts')) as typeof import('./connect.ts')

const dir = new URL('../../../../testdata/client/', import.meta.url)

interface Step {
  at: number
  frame?: { type: string }
  text?: string
  times?: number
  except?: number[]
  shown?: boolean
  shows?: boolean[]
  lost?: boolean
  refuse?: number
  token?: string
  call?: string
  connects?: string
  sends?: Record<string, unknown>
  have?: { maxBytes: number; maxJobs: number; minJobs?: number; names?: string[]; omits?: string[] }
  closes?: boolean
  returns?: string
  stops?: string
  knows?: { jobs?: Record<string, Record<string, unknown>>; notes?: string[] }
  quiet?: boolean
}
interface Case {
  name: string
  answered?: boolean
  steps: Step[]
}

// A browser does not see the status of a refused handshake: README.md, "What a browser cannot see".
const needsStatus = (c: Case): boolean => c.steps.some(({ stops }) => stops?.startsWith('REFUSED '))

class World {
  readonly done: { at: number; what: string; value?: unknown }[] = []
  refuse = 0
  token = 't1'
  socket!: FakeSocket
  herald!: Herald
  shown: unknown[] = []
  readonly #answered: boolean
  readonly #types = new Set<string>()

  constructor(answered: boolean) {
    this.#answered = answered
    beginTest({
      connects: (socket) => {
        if (!answered) this.did('connects', socket.token)
        if (this.refuse) socket.refused = true
        else this.socket = socket
      },
      sends: (socket, message) => {
        if (!this.#answered) return this.did('sends', message)
        if (message.action === 'sync') queueMicrotask(() => socket.post({ type: 'synced', data: { jobs: 0, notes: 0 } }))
        if (message.action === 'ping') queueMicrotask(() => socket.post({ type: 'pong', data: {} }))
      },
      closes: () => this.did('closes'),
    })
    // A server that is out of order does not answer at all; one that refuses does.
    vi.stubGlobal('fetch', async () => {
      if (this.refuse >= 500) throw new TypeError('failed')
    })
    let state = ''
    this.herald = connect({
      url: 'wss://example.com/prod',
      token: async () => {
        if (!this.token) throw new Error('signed out')
        return this.token
      },
    })
    this.herald.status.subscribe(() => {
      const next = this.herald.status.getSnapshot()
      if (next.state !== state && (next.state === 'refused' || next.state === 'closed')) this.did('stops', next.code)
      state = next.state
    })
  }

  did(what: string, value?: unknown): void {
    this.done.push({ at: (Date.now() - startTime) / 1000, what, value })
  }

  expectNothing(): void {
    expect(this.done, 'what the client did beside').toEqual([])
  }

  expectFirst(at: number, what: string, value?: unknown): void {
    expect(this.done.shift()).toEqual({ at, what, value })
  }

  async step(step: Step): Promise<void> {
    if (step.connects) return this.expectFirst(step.at, 'connects', step.connects)
    if (step.sends) return this.expectMessage(step)
    if (step.closes) return this.expectFirst(step.at, 'closes')
    if (step.returns) return this.expectFirst(step.at, 'returns', step.returns)
    if (step.stops) return this.expectFirst(step.at, 'stops', step.stops)
    this.expectNothing()
    if (step.frame || step.text) await this.frames(step)
    else if (step.knows) this.knows(step.knows)
    else if (step.lost) this.socket.lose()
    else if (step.refuse !== undefined) this.refuse = step.refuse
    else if (step.token !== undefined) this.token = step.token
    else if (step.call === 'sync') void this.herald.sync().then(() => this.did('returns', 'sync'), () => {})
    else expect(step.quiet, 'a step without a verb').toBe(true)
    await settle()
  }

  expectMessage({ at, sends, have }: Step): void {
    const message = this.done[0]?.value as Record<string, unknown> | undefined
    if (message && have) {
      const jobs = message.have as Record<string, unknown>
      const names = Object.keys(jobs)
      expect(Buffer.byteLength(JSON.stringify(jobs))).toBeLessThan(have.maxBytes)
      expect(names.length).toBeLessThanOrEqual(have.maxJobs)
      expect(names.length).toBeGreaterThanOrEqual(have.minJobs ?? 0)
      for (const name of have.names ?? []) expect(jobs).toHaveProperty([name])
      for (const name of have.omits ?? []) expect(jobs).not.toHaveProperty([name])
      delete message.have
    }
    if (message) {
      delete message.overlap
      if (!('batch' in sends!)) delete message.batch
      else message.batch ??= null
    }
    this.expectFirst(at, 'sends', sends)
  }

  listen(type: string): void {
    if (this.#types.has(type)) return
    this.#types.add(type)
    this.herald.on(type, (f) => this.shown.push(f))
  }

  async frames({ frame, text, times = 1, except = [], shown, shows }: Step): Promise<void> {
    const sent = text ?? JSON.stringify(frame)
    if (frame) this.listen(frame.type)
    const inBatch = shows && (frame as Frame<'batch'>).data.frames as Frame[]
    for (const one of inBatch ?? []) if (one?.type) this.listen(one.type)
    if (frame && ['upload_progress', 'job_progress', 'notification', 'error'].includes(frame.type)) expect(shown, `${sent}: say whether it is shown`).toBeDefined()
    for (let n = 1; n <= times; n++) {
      if (except.includes(n)) continue
      const one = sent.replaceAll('{n}', String(n).padStart(6, '0'))
      this.shown = []
      this.socket.post(one)
      if (times < 100 || n === times) await settle()
      if (shown !== undefined) {
        const was = this.shown.some((f) => isDeepStrictEqual(f, JSON.parse(one)))
        if (was !== shown) expect(was, `${one}: shown`).toBe(shown)
      }
      if (inBatch) {
        expect(shows).toHaveLength(inBatch.length)
        expect(this.shown, `${one}: shows`).toEqual(inBatch.filter((_, at) => shows![at]))
      }
    }
  }

  knows({ jobs = {}, notes }: NonNullable<Step['knows']>): void {
    for (const [id, fields] of Object.entries(jobs)) {
      expect(this.herald.jobs.getSnapshot().find((job) => job.id === id)).toMatchObject(fields)
    }
    if (notes) expect(this.herald.notes.getSnapshot().map(({ id }) => id).sort()).toEqual(notes)
  }
}

describe('the table of client rules', () => {
  let world: World
  afterEach(async () => {
    world?.herald.close()
    await pass(1)
    endTest()
  })

  const files = readdirSync(dir).filter((name) => name.endsWith('.json'))
  if (files.length < 5) throw new Error(`no table in ${dir}`)
  for (const name of files) {
    const { rule, cases } = JSON.parse(readFileSync(new URL(name, dir), 'utf8')) as { rule: string; cases: Case[] }
    describe(`${name}: ${rule.split('.')[0]}`, () => {
      for (const c of cases) {
        test.skipIf(needsStatus(c))(c.name, async () => {
          world = new World(!!c.answered)
          await settle()
          for (const [i, step] of c.steps.entries()) {
            await pass(startTime + Math.round(step.at * 1000) - Date.now())
            try {
              await world.step(step)
            } catch (error) {
              throw new Error(`step ${i + 1}, at ${step.at} s: ${(error as Error).message}`, { cause: error })
            }
          }
          await settle()
          world.expectNothing()
        })
      }
    })
  }
})
