// Runs testdata/reporter: the scenarios that the Reporters of all languages pass.

import assert from "node:assert/strict"
import { readFileSync, readdirSync } from "node:fs"
import { test } from "node:test"
import { isDeepStrictEqual } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { RefusedError, Reporter } from "../reporter.js"
import { FakeClock, settle } from "./fake-clock.js"

const folder = new URL("../../../../testdata/reporter/", import.meta.url)
const maxGrowth = 512 << 10 // bytes of the heap: compiled code takes some, and a few bytes for each update would take more
const start = Date.UTC(2000, 0, 1)

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc")

// expand returns the text that {"repeat": text, "times": number} means. Other values stay as they are.
const expand = (_, value) => (typeof value?.repeat === "string" ? value.repeat.repeat(value.times) : value)

for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
  for (const scenario of JSON.parse(readFileSync(new URL(file, folder), "utf8"), expand).cases) {
    if (!scenario.not?.includes("node")) test(`${file}: ${scenario.name}`, () => run(scenario))
  }
}

async function run(scenario) {
  const clock = new FakeClock()
  const notifier = new Notifier(scenario, clock)
  const log = []
  const { config = {} } = scenario
  const job = config.jobId ? {} : { uploadId: "up-1", fileName: "f.csv" }
  const reporter = new Reporter({ client: notifier, functionName: "notifier", userId: "u1", ...job, ...config, log: (line) => log.push(line), clock })

  let heap = Infinity // in the middle of the updates
  const middle = () => {
    collect()
    heap = process.memoryUsage().heapUsed
  }
  for (const step of scenario.steps) {
    await clock.advance(step.at * 1000)
    const began = clock.now()
    if (step.raises) {
      await assert.rejects(
        async () => call(reporter, clock, step),
        (err) => err instanceof RefusedError && err.name === step.raises && err.message === step.says,
      )
      if (!step.close) await call(reporter, clock, step) // the call after the one that threw does what it says
    } else {
      await call(reporter, clock, step, scenario.bounded && middle)
    }
    if ("takes" in step) assert.ok(Math.abs(clock.now() - began - step.takes * 1000) < 0.1, `took ${clock.now() - began} ms`)
    await settle()
  }
  if (scenario.bounded) {
    let growth = Infinity
    for (let attempt = 0; attempt < 10 && growth >= maxGrowth; attempt++) {
      await new Promise((resolve) => setImmediate(resolve)) // what has just ended may be held until then
      collect()
      growth = process.memoryUsage().heapUsed - heap
    }
    assert.ok(growth < maxGrowth, `the heap grew by ${growth} bytes`)
  }
  check(scenario, notifier)
  assert.ok(!log.join().includes("secret-token"))
}

// Notifier is a client of Lambda that records what is published, and answers as the scenario says.
class Notifier {
  count = 0
  published = [] // only the last if the scenario counts them

  constructor(scenario, clock) {
    this.scenario = scenario
    this.clock = clock
  }

  async invoke({ FunctionName, Payload }) {
    assert.equal(FunctionName, "notifier")
    this.count++
    const { message, ...request } = JSON.parse(new TextDecoder().decode(Payload))
    const published = { ...request, ...message, at: this.clock.now() / 1000 }
    if (published.key) published.key = `#${published.key.split(" ").at(-1)}`
    if ("count" in this.scenario) this.published = []
    this.published.push(published)
    const answer = this.scenario.answers?.find(({ calls: [first, last] }) => first <= this.count && this.count <= last) ?? {}
    if (answer.takes) await new Promise((resolve) => this.clock.setTimeout(resolve, answer.takes * 1000))
    if (answer.error === "unreachable") throw new TypeError("secret-token")
    const result = answer.error ? { errorType: answer.error, errorMessage: answer.text ?? "secret-token" } : { pending: answer.pending }
    return { FunctionError: answer.error && "Unhandled", Payload: new TextEncoder().encode(JSON.stringify(result)) }
  }
}

async function call(reporter, clock, step, middle) {
  if (step.phase) {
    const { name, text, ...options } = step.phase
    if (text) options.text = (done, steps) => text.replaceAll("{done}", done).replaceAll("{steps}", steps)
    reporter.phase(name, { to: 0, ...options })
  } else if ("update" in step) {
    reporter.update(step.update)
  } else if (step.updates) {
    const { first, last, every } = step.updates
    for (let n = first; n <= last; n++) {
      if (n > first && every) await clock.advance((step.at + (n - first) * every) * 1000)
      reporter.update(n)
      if (middle && n === last >> 1) middle()
    }
  } else if ("reject" in step) {
    reporter.reject(step.reject)
  } else if (step.error) {
    reporter.error(step.error.code, step.error.message)
  } else if (step.end) {
    reporter.end(step.end, step.text)
  } else if (step.result) {
    reporter.setResult(step.result)
  } else if (step.listSteps) {
    reporter.listSteps(step.listSteps.map(({ at, ...fields }) => ({ ...fields, at: at && new Date(at) })))
  } else if (step.flush) {
    await clock.wait(reporter.flush())
  } else if (step.close) {
    await clock.wait(reporter.close())
  } else if (step.freeze) {
    await clock.freeze(step.freeze * 1000)
  }
}

function check(scenario, { count, published }) {
  const want = scenario.publishes ?? [scenario.last]
  if ("count" in scenario) assert.equal(count, scenario.count)
  published.forEach((got, i) => assert.deepEqual(missing(want[i] ?? {}, got), [], JSON.stringify(got).slice(0, 1000)))
  assert.deepEqual(published.map(({ at }) => Math.round(at * 1000)), want.map(({ at }) => Math.round(at * 1000)))
  for (const got of published) {
    assert.ok(got.type === "error" || Math.abs(Date.parse(got.sentAt) - start - got.at * 1000) < 2, got.sentAt)
    assert.ok(fits(got), JSON.stringify(got))
  }
}

// missing returns how got differs from the fields of want. A null in want means that the field is absent.
function missing(want, got) {
  return Object.entries(want).flatMap(([field, value]) => {
    if (field === "fits" || field === "at") return []
    if (Array.isArray(value)) return isDeepStrictEqual(got[field], value) ? [] : [`${field} is ${JSON.stringify(got[field])}`]
    if (value && typeof value === "object") return missing(value, got[field] ?? {})
    return (got[field] ?? null) === value ? [] : [`${field} is ${got[field]}, want ${value}`]
  })
}

// fits reports whether the texts and counts are within the limits of lib/message/limits.go.
function fits({ type, data }) {
  const size = (value = "") => {
    const encoded = JSON.stringify(value)
    return Buffer.byteLength(encoded) + 3 * (encoded.match(/[\u2028\u2029]/g)?.length ?? 0)
  }
  const counts = ["currentRow", "totalRows", "failedRows", "etaMs"].map((name) => data[name] ?? 0)
  return (
    size(data) <= (type === "error" ? 8192 : 2560) &&
    size(data.fileName) <= 1026 &&
    size(data.phase) <= 258 &&
    !((data.progress ?? 0) < 0 || data.progress > 100) &&
    counts.every((n) => n >= 0 && n <= 2 ** 53) &&
    data.message !== ""
  )
}
