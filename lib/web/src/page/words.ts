import type { Job, Status } from '../client/index.ts'
import { clock, count, counted, rate, timeLeft } from './numbers.ts'

const phaseWords: Record<string, string> = {
  upload: 'Uploading', read: 'Reading the file', parse: 'Importing', finish: 'Saving the results',
}

const statusWords: Record<string, string> = { queued: 'Waiting to start', waiting: 'Waiting', retrying: 'Retrying', stalled: 'Stalled' }

/** Which try a job is at, such as "attempt 2 of 3", if its worker says so. */
function attemptOf({ attempt, of }: Job): string {
  return attempt ? `attempt ${count(attempt)}${of ? ` of ${count(of)}` : ''}` : ''
}

/** What a running job does, in words. Silence is how long there was no news of a job that has stalled. */
export function phaseOf(job: Job, silence = ''): string {
  if (silence) return `Stalled: no news for ${silence}`
  const words = statusWords[job.status]
  if (!words) return phaseWords[job.phase] ?? (job.message || 'Running')
  if (saysItWaits(job)) return job.message
  return job.status === 'retrying' && job.attempt ? `${words}, ${attemptOf(job)}` : words
}

// Whether a job that waits says so in its message, too.
function saysItWaits({ status, message }: Job): boolean {
  return (status === 'waiting' || status === 'queued') && /^(wait|queue|in the queue)/i.test(message)
}

/** A fact about a job, and its kind, by which a narrow list leaves some out. */
export interface Fact {
  kind: 'what' | 'attempt' | 'rows' | 'rate' | 'left' | 'since' | 'size' | 'took'
  text: string
}

/** The facts of a running job beside its phase, in the order in which they are shown. */
export function factsOf(job: Job, live: boolean, silence = ''): Fact[] {
  const facts: Fact[] = []
  const moves = !silence && !statusWords[job.status]
  if (!moves && job.message && !saysItWaits(job)) facts.push({ kind: 'what', text: job.message })
  if (job.attempt! > 1 && (silence || job.status !== 'retrying')) facts.push({ kind: 'attempt', text: attemptOf(job) })
  if (job.totalRows) facts.push({ kind: 'rows', text: `${count(job.currentRow ?? 0)} of ${counted(job.totalRows, 'row')}` })
  if (!live) facts.push({ kind: 'since', text: `as of ${clock(job.updatedAt)}` })
  if (live && moves && job.rowsPerSecond) facts.push({ kind: 'rate', text: rate(job.rowsPerSecond) })
  if (live && moves && job.etaMs && job.progress < 99) facts.push({ kind: 'left', text: timeLeft(job.etaMs) })
  return facts
}

/** The rejected rows of a job, or nothing. */
export function rejectedOf(job: Job): string {
  return job.failedRows ? `${count(job.failedRows)} rejected` : ''
}

/** How a job ended, in a few words. */
export function endOf(job: Job): string {
  switch (job.status) {
    case 'succeeded':
      return job.totalRows && job.type === 'upload_progress' ? `${counted(job.totalRows - (job.failedRows ?? 0), 'row')} imported` : job.message || 'Done'
    case 'cancelled':
      return job.message || `Cancelled at ${Math.floor(job.progress)} %`
    default:
      return job.message || 'It failed, and did not say why'
  }
}

/** What a person can do about a failed job of a file. Empty where its message says so already. */
export function adviceFor(job: Job): string {
  return job.status === 'failed' && job.type === 'upload_progress' && !/again/i.test(job.message) ? 'Correct the file and upload it again.' : ''
}

/** The text as a sentence: with a full stop, if it ends without one. */
export function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`
}

/** How a job began, went on or ended, in words to speak. */
export function spokenChange(job: Job): string {
  if (!job.terminal) return `${job.title}: ${phaseOf(job)}`
  const rejected = rejectedOf(job)
  const verb = job.status === 'succeeded' ? 'finished' : job.status === 'cancelled' ? 'was cancelled' : 'failed'
  return `${job.title} ${verb}: ${endOf(job)}${rejected && job.status === 'succeeded' ? `, ${rejected}` : ''}`
}

/** Returns a name that fits: of a longer one the beginning and the end, by which similar names differ. */
export function shortName(name: string, most: number): string {
  const letters = [...name]
  if (letters.length <= most) return name
  const end = Math.floor(most / 3)
  return `${letters.slice(0, most - end - 1).join('')}…${letters.slice(-end).join('')}`
}

/** What the state of the connection means for a person. */
export interface Connection {
  /** One or two words for the badge. */
  label: string
  tone: 'good' | 'busy' | 'bad'
  /** What it means, when something is to be known, and the one thing that a person can do. */
  notice?: string
  action?: 'signIn' | 'reconnect'
}

const closedBecause: Record<string, string> = {
  CONNECTION_LIMIT: 'You have more open connections than one person may have. Close a tab that you do not need, then connect again here.',
  RATE_LIMITED: 'This tab asked for more than the server allows. Wait a minute, then connect again.',
}

/** Returns what the state of the connection means for a person. Now is in milliseconds since 1970. */
export function connectionOf(status: Status, now: number): Connection {
  switch (status.state) {
    case 'live':
      return { label: 'Live', tone: 'good' }
    case 'connecting':
      return { label: 'Connecting', tone: 'busy' }
    case 'syncing':
      return { label: 'Catching up', tone: 'busy' }
    case 'offline': {
      const seconds = status.retryAt ? Math.ceil((status.retryAt - now) / 1000) : 0
      const next = seconds > 0 ? `Trying again in ${seconds} s.` : 'Trying again now.'
      return { label: 'Offline', tone: 'bad', notice: `No connection. Your jobs go on without this page. ${next}` }
    }
    case 'refused':
      return {
        label: 'Signed out', tone: 'bad', action: 'signIn',
        notice: 'The server did not accept your sign-in. It may have run out. Your jobs go on without this page.',
      }
    case 'closed':
      return {
        label: 'Disconnected', tone: 'bad', action: 'reconnect',
        notice: closedBecause[status.code ?? ''] ?? (status.reason ? `The server closed the connection: ${status.reason}` : 'The connection is closed.'),
      }
  }
}
