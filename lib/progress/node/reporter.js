// Reports the progress of a worker to its user's browser. Each push is one invocation of Herald's notifier by a client of the
// caller. See README.md.

import { randomUUID } from "node:crypto"
import { isDeepStrictEqual } from "node:util"
import { onExit } from "./exit.js"
import { isResult } from "./result.js"
import { TERMINAL, attempts, between, dataOf, errorData, partOf, percent, silence, stepsUntil } from "./state.js"
import { listed } from "./steps.js"

export { resultPrefix } from "./result.js"

// All times are in milliseconds.
const PUBLISH_TIMEOUT = 3000
const CLOSE_TIMEOUT = 4000
const STATE_TIMEOUT = 1000 // how long flush and close retry what is not the end
const FAST = 250 // the interval between two pushes if progress moved by a percent
const SLOW = 2000 // and if it moved by less
const STEADY_FAILURES = 6 // after each further failure in a row the pause doubles
const MAX_ERRORS = 16
const ERROR_TRIES = 3
const NEVER = 2 ** 31 - 1 // the longest timer

// RefusedError says that the notifier refused a request. Its text names the field and the rule, never the value.
export class RefusedError extends Error {
  constructor(name, text) {
    super(text)
    this.name = name
  }
}

// realClock is the real time. Tests replace it. A timer that holds keeps the process alive.
const realClock = {
  now: () => performance.now(),
  date: () => new Date(),
  setTimeout(run, after, holds) {
    const timer = setTimeout(run, after)
    if (!holds) timer.unref()
    return timer
  },
  clearTimeout,
}

// Reporter reports one job, or one part of a job, of one user. Its methods never wait, except flush and close.
export class Reporter {
  #invoke
  #clock
  #log
  #type
  #job
  #silence
  #request
  #part

  #state = { phase: newPhase("", { to: 0 }), began: 0, version: 0, status: "", text: "", result: undefined, listed: [] } // without done and failed
  #done = 0
  #failed
  #nextAt = Infinity // the done steps at which update makes the next push due
  #errors = []
  #refused // what the next call throws
  #key = randomUUID()
  #errorCount = 0

  #tried = { ...this.#state, done: 0, failed: 0 } // the state of the last push
  #triedAt = -Infinity // when it ended
  #missing = false // the user may see another state than tried: its push has failed or is pending
  #failures = 0 // how many pushes in a row have failed
  #floor = 0 // the highest progress that was pushed
  #errorFailedAt = -Infinity

  #timer
  #woken = false // a turn is about to run
  #busy // the promise of the turn that runs
  #closed // the promise of close
  #deadline = Infinity // after which close pushes nothing more
  #exiting = false // the process would have ended

  stats = { published: 0, failed: 0, dropped: 0 }

  constructor({
    client, functionName, InvokeCommand, userId, jobId, title, uploadId, fileName, epoch, execution, part,
    attempt = 0, maxAttempts = 0, expectEvery = 0, endAfter = 0, failedRows = 0, log, clock,
  }) {
    const isJob = Boolean(jobId && title)
    if (isJob === Boolean(uploadId && fileName) || (isJob ? uploadId || fileName : jobId || title)) {
      throw new TypeError("give either jobId and title, or uploadId and fileName")
    }
    if (client === null) this.#closed = Promise.resolve() // publish nothing
    else if (typeof client.invoke !== "function" && !InvokeCommand) throw new TypeError("give InvokeCommand, or a client that has invoke")
    this.#invoke = (payload, options) => {
      const input = { FunctionName: functionName, Payload: payload }
      return InvokeCommand ? client.send(new InvokeCommand(input), options) : client.invoke(input, options)
    }
    this.#type = isJob ? "job_progress" : "upload_progress"
    const names = isJob ? { jobId, title: String(title) } : { uploadId, fileName: String(fileName) }
    this.#job = { ...names, ...attempts(integer(attempt, "attempt"), integer(maxAttempts, "maxAttempts")) }
    this.#silence = silence(expectEvery, endAfter)
    this.#request = { userId, epoch, execution }
    this.#part = part
    this.#failed = integer(failedRows, "failedRows")
    this.#log = (text) => {
      try {
        log?.(text)
      } catch {
        // A mistake in the log must not end the reporting.
      }
    }
    this.#clock = clock ?? realClock
    onExit(this, Reporter.#finishBeforeExit)
  }

  // finishBeforeExit publishes once what is not published yet, before the process ends.
  static #finishBeforeExit(reporter) {
    const s = reporter.#snapshot()
    const pending = reporter.#errors.length || (s.version && reporter.#unpublished(s))
    if (reporter.#closed || reporter.#exiting || !pending) return
    reporter.#exiting = true
    reporter.flush().catch(() => {}) // the log has what was refused
  }

  // run calls work with a new Reporter, and closes it afterwards.
  static async run(options, work) {
    const reporter = new Reporter(options)
    let result
    try {
      result = await work(reporter)
    } catch (err) {
      await reporter.close().catch(() => {}) // the error of the work is the one to throw
      throw err
    }
    await reporter.close()
    return result
  }

  phase(name, options = {}) {
    const phase = newPhase(name, options)
    this.#throwRefused()
    if (this.#state.status || this.#closed) return
    this.#state = { ...this.#state, phase, began: this.#clock.now(), version: this.#state.version + 1 }
    this.#done = phase.done
    this.#wake()
  }

  update(done) {
    this.#done = integer(done, "done")
    if (this.#refused) this.#throwRefused()
    if (this.#done >= this.#nextAt) this.#wake()
  }

  reject(rows = 1) {
    this.#throwRefused()
    this.#failed += integer(rows, "rows")
  }

  error(code, message, details) {
    const data = errorData(code, message, details)
    this.#throwRefused()
    if (this.#closed) return
    if (this.#errors.length >= MAX_ERRORS) {
      this.stats.dropped++
      return
    }
    this.#errors.push({ data, key: `error ${this.#key} ${++this.#errorCount}`, tries: 0 })
    this.#wake()
  }

  setResult(result) {
    this.#throwRefused()
    if (result && !isResult(this.#request.userId, result)) {
      this.#log("result is not published: it is neither an https URL nor a key of the user's results")
    } else if (!this.#state.status) {
      this.#state = { ...this.#state, result: result || undefined }
    }
  }

  listSteps(steps) {
    const fields = listed(steps)
    this.#throwRefused()
    if (!fields) {
      this.#log("steps are not published: one of them is invalid")
    } else if (!this.#state.status && !this.#closed && !isDeepStrictEqual(fields, this.#state.listed)) {
      this.#state = { ...this.#state, listed: fields } // the same list stays the same object
      this.#wake()
    }
  }

  end(status, text = "") {
    if (!Object.hasOwn(TERMINAL, status)) throw new TypeError(`status must be one of ${Object.keys(TERMINAL).join(", ")}`)
    this.#throwRefused()
    if (this.#state.status || this.#closed) return
    const { done, failed } = this.#snapshot()
    this.#state = { ...this.#state, status, text: String(text), done, failed, version: this.#state.version + 1 }
    this.#wake()
  }

  async flush() {
    if (!this.#closed) await this.#finish(this.#exclusive(() => this.#pushRemaining()))
    this.#throwRefused()
  }

  async close() {
    if (!this.#closed) {
      this.#deadline = this.#clock.now() + CLOSE_TIMEOUT
      this.#closed = this.#finish(this.#exclusive(() => this.#pushRemaining()))
    }
    await this.#closed
    this.#throwRefused()
  }

  async [Symbol.asyncDispose]() {
    await this.close()
  }

  // finish waits until pushed has ended, for CLOSE_TIMEOUT at most. Its timer keeps the process alive meanwhile.
  async #finish(pushed) {
    let timer
    const timeout = new Promise((resolve) => (timer = this.#clock.setTimeout(resolve, CLOSE_TIMEOUT, true)))
    await Promise.race([pushed, timeout])
    this.#clock.clearTimeout(timer)
  }

  #throwRefused() {
    const refused = this.#refused
    this.#refused = undefined
    if (refused) throw refused
  }

  #snapshot() {
    return this.#state.status ? this.#state : { ...this.#state, done: this.#done, failed: this.#failed }
  }

  // wake decides what is due, after the code that runs now.
  #wake() {
    this.#nextAt = Infinity
    if (this.#woken || this.#busy) return // whatever runs looks again when it has ended
    this.#woken = true
    queueMicrotask(() => {
      this.#woken = false
      this.#turn()
    })
  }

  // exclusive runs push after whatever runs now.
  async #exclusive(push) {
    while (this.#busy) await this.#busy
    this.#busy = push()
    await this.#busy
    this.#busy = undefined
    this.#turn() // nothing of a push throws
  }

  // turn pushes what is due, or sets the timer for it.
  #turn() {
    if (this.#busy || this.#closed) return
    const wait = Math.min(this.#stateDueIn(), this.#errorDueIn())
    this.#clock.clearTimeout(this.#timer)
    if (wait <= 0) {
      this.#exclusive(() => this.#pushDue())
    } else if (wait < NEVER) {
      this.#timer = this.#clock.setTimeout(() => this.#turn(), wait, false)
    }
  }

  async #pushDue() {
    if (this.#stateDueIn() <= 0) await this.#push(this.#snapshot(), false)
    if (this.#errorDueIn() <= 0 && !this.#closed) await this.#pushError(ERROR_TRIES)
  }

  // stateDueIn returns after which time the newest state must be pushed, or decided about again.
  #stateDueIn() {
    const s = this.#snapshot()
    const since = this.#clock.now() - this.#triedAt
    if (s.version === 0) return NEVER
    if (s.version !== this.#tried.version) return 0 // a new phase or the end
    if (this.#failures) return SLOW * 2 ** between(this.#failures - STEADY_FAILURES, 0, 4) - since
    if (since < FAST) return FAST - since
    const at = stepsUntil(this.#tried, 1)
    if (this.#unpublished(s) && (since >= SLOW || s.done >= at)) return 0
    this.#nextAt = since < SLOW || s.status ? at : this.#tried.done + 1 // at is infinite after the end
    return since < SLOW ? SLOW - since : NEVER
  }

  #errorDueIn() {
    return this.#errors.length ? SLOW - (this.#clock.now() - this.#errorFailedAt) : NEVER
  }

  #unpublished(s) {
    const t = this.#tried
    return this.#missing || s.version !== t.version || s.done !== t.done || s.failed !== t.failed || s.listed !== t.listed
  }

  // push pushes a state. It returns false if that failed.
  async #push(s, wait) {
    this.#nextAt = Infinity
    const data = dataOf(s, s.status ? this.#job : { ...this.#job, ...this.#silence }, this.#floor, this.#clock.now())
    this.#floor = data.progress
    const sentAt = this.#clock.date().toISOString()
    const outcome = await this.#publish(this.#type, data, { sentAt, part: partOf(s, this.#part), wait: wait ? undefined : false })
    this.#tried = s
    this.#triedAt = this.#clock.now()
    this.#missing = outcome === "failed" || outcome === "pending"
    this.#failures = outcome === "failed" ? this.#failures + 1 : 0
    return outcome !== "failed"
  }

  // pushError pushes the oldest error message. It returns false if that failed.
  async #pushError(maxTries) {
    const error = this.#errors[0]
    const outcome = await this.#publish("error", error.data, { key: error.key })
    if (outcome === "failed") this.#errorFailedAt = this.#clock.now()
    if (outcome !== "failed" || ++error.tries >= maxTries) {
      this.#errors.shift()
      if (outcome === "failed" || outcome === "refused") this.stats.dropped++
    }
    return outcome !== "failed"
  }

  // pushRemaining pushes the last state, then the errors. It retries the end for CLOSE_TIMEOUT, anything else for a second.
  async #pushRemaining() {
    const began = this.#clock.now()
    for (let pause = 50; ; pause = Math.min(2 * pause, 500)) {
      const s = this.#snapshot()
      const arrived = s.version === 0 || !this.#unpublished(s) || (await this.#push(s, true))
      while (arrived && this.#errors.length && (await this.#pushError(Infinity)));
      const limit = s.status && !arrived ? CLOSE_TIMEOUT : STATE_TIMEOUT
      if ((arrived && !this.#errors.length) || this.#clock.now() + pause > Math.min(began + limit, this.#deadline)) return
      await new Promise((resolve) => this.#clock.setTimeout(resolve, pause, true))
    }
  }

  // publish invokes the notifier. It returns published, pending, failed or refused.
  async #publish(type, data, fields) {
    const request = { ...this.#request, ...fields, message: { type, data } }
    const abort = new AbortController()
    let timer
    const timeout = new Promise((_, reject) => {
      timer = this.#clock.setTimeout(() => {
        abort.abort()
        reject(new DOMException("push timed out", "TimeoutError"))
      }, PUBLISH_TIMEOUT, false)
    })
    let outcome
    try {
      const payload = new TextEncoder().encode(JSON.stringify(request))
      outcome = this.#read(await Promise.race([this.#invoke(payload, { abortSignal: abort.signal }), timeout]))
    } catch (err) {
      this.#log(`push failed: ${err?.name}`) // its text may have parts of the request
      outcome = "failed"
    }
    this.#clock.clearTimeout(timer)
    this.stats[outcome === "failed" || outcome === "refused" ? "failed" : "published"]++
    return outcome
  }

  // read reads the answer to an invocation.
  #read(answer) {
    const result = JSON.parse(new TextDecoder().decode(answer.Payload)) ?? {}
    if (!answer.FunctionError) return result.pending ? "pending" : "published"
    const name = String(result.errorType)
    this.#log(`push failed: ${name}`)
    if (name !== "InvalidMessage" && name !== "PayloadTooLarge") return "failed"
    this.#refused = new RefusedError(name, String(result.errorMessage))
    return "refused"
  }
}

function newPhase(name, { status, from = 0, to = 100, steps = 0, done = 0, rows = false, currentRow = 0, totalRows = 0, text }) {
  if (Object.hasOwn(TERMINAL, status ?? "")) throw new TypeError("a phase is not the end of the job: call end")
  const low = percent(from, 0)
  return {
    name: String(name), status, from: low, to: percent(to, low), steps: integer(steps, "steps"), done: integer(done, "done"), rows: Boolean(rows),
    currentRow: integer(currentRow, "currentRow"), totalRows: integer(totalRows, "totalRows"), text,
  }
}

// integer returns n as a whole number.
function integer(n, name) {
  if (typeof n !== "number" || Number.isNaN(n)) throw new TypeError(`${name} must be a number`)
  return Math.trunc(n)
}
