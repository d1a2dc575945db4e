// The state of a job, and the message that shows it.

import { newest } from "./steps.js"
import { cut, jsonBytes } from "./text.js"

// The limits of lib/message/limits.go. Bytes are those of JSON.
const MAX_STATE = 2560
const MAX_NOTE = 8192
const MAX_TEXT = 480
const MIN_TEXT = 3 // an ellipsis
const MAX_NAME = 1024
const MAX_PHASE = 256
const MAX_STEPS = 2 ** 53
const MAX_ATTEMPT = 9999
const MIN_EXPECT_EVERY = 5
const MAX_EXPECT_EVERY = 86_400
const MIN_END_AFTER = 60
const MAX_END_AFTER = 2_592_000

// The terminal statuses, with the text of an end that has none.
export const TERMINAL = { succeeded: "Done", failed: "Failed", cancelled: "Stopped" }

// attempts returns the fields of the attempt and of how many there are at most, which are undefined if they are not known.
export function attempts(attempt, maxAttempts) {
  attempt = between(attempt, 0, MAX_ATTEMPT)
  return { attempt: attempt || undefined, of: attempt && maxAttempts > 0 ? between(maxAttempts, attempt, MAX_ATTEMPT) : undefined }
}

// silence returns the fields of how many seconds there may be no news, which are undefined if it may be any time.
export function silence(every, after) {
  const expectEvery = every > 0 ? between(Math.floor(every), MIN_EXPECT_EVERY, MAX_EXPECT_EVERY) : undefined
  const endAfter = after > 0 ? between(Math.floor(after), Math.max(MIN_END_AFTER, (expectEvery ?? 0) + 1), MAX_END_AFTER) : undefined
  return { expectEvery, endAfter }
}

// progressOf returns the job's progress in percent.
function progressOf(s) {
  const { from, to, steps } = s.phase
  if (s.status === "succeeded") return 100
  return steps <= 0 ? from : from + ((to - from) * between(s.done, 0, steps)) / steps
}

// stepsUntil returns the done steps at which the progress will have moved by so many percent since the state s.
export function stepsUntil(s, moved) {
  const { from, to, steps } = s.phase
  if (s.status || steps <= 0 || to <= from) return Infinity
  const needed = Math.ceil((moved / (to - from)) * steps)
  return needed > steps ? Infinity : s.done + Math.max(needed, 1)
}

// partOf returns the progress of a part, or undefined if s is a state of the whole job.
export function partOf(s, id) {
  const { from, to, steps } = s.phase
  if (!id || s.status || steps <= 0 || steps > MAX_STEPS || to === 0) return undefined
  const done = between(s.done, 0, steps)
  return { id, done, total: steps, failed: between(s.failed, 0, done) || undefined, from: from || undefined, to }
}

// dataOf returns the data of the message, with a progress of at least floor. Times are in milliseconds.
export function dataOf(s, job, floor, now) {
  const p = s.phase
  const counts = { currentRow: p.currentRow, totalRows: p.totalRows, failedRows: s.failed }
  if (p.rows) {
    counts.currentRow = s.done
    counts.totalRows = p.steps
    const elapsed = (now - s.began) / 1000
    const moved = s.done - p.done // since the phase began in this process
    if (elapsed > 0 && moved > 0 && !s.status) {
      const rate = moved / elapsed
      counts.rowsPerSecond = Math.ceil(rate)
      counts.etaMs = Math.floor(Math.min((Math.max(p.steps - s.done, 0) / rate) * 1000, MAX_STEPS))
    }
  }
  for (const name in counts) counts[name] = between(counts[name], 0, MAX_STEPS) || undefined
  const names = { ...job }
  for (const name of ["fileName", "title"]) if (name in names) names[name] = cut(names[name], MAX_NAME)
  const data = {
    ...names,
    progress: Math.max(floor, Math.round(progressOf(s) * 100) / 100),
    message: "",
    phase: cut(p.name, MAX_PHASE) || undefined,
    status: s.status || p.status,
    ...counts,
  }
  const text = messageOf(s)
  if (s.status) data.result = s.result
  if (MAX_STATE - jsonBytes(data) < MIN_TEXT) data.result = undefined
  if (s.listed.length) {
    const taken = jsonBytes({ ...data, message: cut(text, MAX_TEXT) }) + ',"steps":'.length
    const steps = newest(s.listed, MAX_STATE - taken)
    if (steps.length) data.steps = steps
  }
  data.message = cut(text, Math.max(MAX_STATE - jsonBytes(data), MIN_TEXT))
  return data
}

// errorData returns the data of an error message.
export function errorData(code, message, details) {
  const data = { code: cut(String(code), MAX_NAME), message: "", details }
  data.message = cut(String(message), Math.max(MAX_NOTE - jsonBytes(data), MAX_TEXT))
  return data
}

// messageOf returns the text of a state, which is never empty.
function messageOf(s) {
  let text = s.text
  try {
    text ||= String(s.phase.text?.(s.done, s.phase.steps) ?? "")
  } catch {
    // A mistake in the text must not end the reporting.
  }
  return text || s.phase.name || TERMINAL[s.status] || "Working"
}

// percent returns x, limited to low to 100. NaN becomes low.
export const percent = (x, low) => (x >= low ? Math.min(x, 100) : low)

export const between = (n, low, high) => Math.max(low, Math.min(n, high))
