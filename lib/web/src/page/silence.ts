import type { Job } from '../client/index.ts'

/** How much longer than a job says its silence must be, in milliseconds, until the page calls it stalled: pushes may be late. */
const grace = 10_000
const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** A duration in one unit, rounded down, as for what is still growing: "40 s", "2 min", "3 h", "2 days". */
export function roughly(ms: number): string {
  if (ms < minute) return `${Math.max(1, Math.floor(ms / second))} s`
  if (ms < hour) return `${Math.floor(ms / minute)} min`
  if (ms < 2 * day) return `${Math.floor(ms / hour)} h`
  return `${Math.floor(ms / day)} days`
}

/** Whether the silence of a job may have to be shown, so that it must be looked at now and then. */
export function mayStall(job: Job): boolean {
  return !job.terminal && (job.status === 'stalled' || !!job.expectEvery)
}

/** Returns how long there was no news of a job that has stalled, in words, and nothing for any other job. */
export type SilenceOf = (job: Job, live: boolean, now: number) => string

/**
 * Returns a {@link SilenceOf}. The server marks a silent job as stalled up to five minutes late. As long as the connection is
 * up, the page sees the silence itself, by its own clock. A job that waits for somebody is silent by nature.
 */
export function newSilence(): SilenceOf {
  const seen = new WeakMap<Job, number>() // since when a state is known here
  return (job, live, now) => {
    if (!seen.has(job)) seen.set(job, now)
    if (!mayStall(job)) return ''
    const expected = (job.expectEvery ?? 0) * second
    if (job.status === 'stalled') return roughly(Math.max(now - job.updatedAt, expected))
    const quiet = now - seen.get(job)!
    return live && /^(running|retrying)$/.test(job.status) && quiet > expected + grace ? roughly(quiet) : ''
  }
}
