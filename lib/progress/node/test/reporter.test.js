// What the scenarios cannot say: clients, wrong arguments.

import assert from "node:assert/strict"
import { test } from "node:test"
import { RefusedError, Reporter, resultPrefix } from "../reporter.js"
import { FakeClock } from "./fake-clock.js"

const encode = (value) => new TextEncoder().encode(JSON.stringify(value))
const job = { functionName: "notifier", userId: "u1", jobId: "j", title: "a title" }

test("a client with send is called with InvokeCommand", async () => {
  const inputs = []
  class InvokeCommand {
    constructor(input) {
      this.input = input
    }
  }
  const client = { send: async (command, options) => (inputs.push([command instanceof InvokeCommand, options.abortSignal instanceof AbortSignal]), { Payload: encode({}) }) }
  await Reporter.run({ client, InvokeCommand, ...job }, (reporter) => reporter.end("succeeded"))
  assert.deepEqual(inputs, [[true, true]])
  assert.throws(() => new Reporter({ client, ...job }), /give InvokeCommand, or a client that has invoke/)
})

test("a push that hangs is aborted", async () => {
  const clock = new FakeClock()
  let aborted = 0
  const client = { invoke: (_, { abortSignal }) => new Promise((_, reject) => abortSignal.addEventListener("abort", () => reject(aborted++))) }
  const reporter = new Reporter({ client, ...job, clock })
  reporter.phase("train")
  await clock.advance(3500)
  assert.equal(aborted, 1)
})

test("an error of the work is the one that is thrown", async () => {
  const client = { invoke: async () => ({ FunctionError: "Unhandled", Payload: encode({ errorType: "InvalidMessage", errorMessage: "epoch must be" }) }) }
  const failing = (reporter) => {
    reporter.phase("train")
    throw new RangeError("mine")
  }
  await assert.rejects(Reporter.run({ client, ...job }, failing), RangeError)
  await assert.rejects(Reporter.run({ client, ...job }, (reporter) => reporter.phase("train")), RefusedError)
  const reporter = new Reporter({ client, ...job })
  reporter.phase("train")
  await assert.rejects(reporter[Symbol.asyncDispose](), { name: "InvalidMessage", message: "epoch must be" })
})

test("a mistake in the text or the log does not end the reporting", async () => {
  let calls = 0
  const mistake = () => {
    throw new Error("mine")
  }
  const client = { invoke: async () => (++calls === 1 ? mistake() : { Payload: encode({}) }) }
  const clock = new FakeClock()
  const reporter = new Reporter({ client, ...job, clock, log: mistake })
  reporter.phase("train", { text: mistake })
  await clock.wait(reporter.close())
  assert.deepEqual(reporter.stats, { published: 1, failed: 1, dropped: 0 })
})

test("a job has one pair of names", () => {
  const both = { jobId: "j", title: "t", uploadId: "u", fileName: "f" }
  for (const names of [{}, { jobId: "j" }, { jobId: "", title: "t" }, { uploadId: "u" }, { jobId: "j", title: "t", uploadId: "u" }, both]) {
    const options = { client: { invoke() {} }, functionName: "n", userId: "u", ...names }
    assert.throws(() => new Reporter(options), /give either jobId and title, or uploadId and fileName/)
  }
})

test("mistakes are thrown where they are made", () => {
  const reporter = new Reporter({ client: { invoke() {} }, ...job, clock: new FakeClock() })
  for (const mistake of [
    () => reporter.update("many"),
    () => reporter.phase("p", { steps: NaN }),
    () => reporter.end("running"),
    () => reporter.error("C", "m", 1n),
    () => reporter.listSteps({}),
    () => reporter.listSteps([{ name: "fetch", at: "now" }]),
    () => new Reporter({ client: { invoke() {} }, ...job, failedRows: NaN }),
  ]) {
    assert.throws(mistake, TypeError)
  }
})

test("what is no result and no list of steps is logged, without anything of it", async () => {
  const sent = []
  const lines = []
  const client = { invoke: async ({ Payload }) => (sent.push(JSON.parse(new TextDecoder().decode(Payload)).message.data), { Payload: encode({}) }) }
  await Reporter.run({ client, ...job, log: (line) => lines.push(line) }, (reporter) => {
    reporter.listSteps([{ name: "fetch", at: new Date(0), status: null, title: null }])
    for (const wrong of [{ name: "secret\ud800" }, { name: 1 }, { name: "a", title: "" }, { name: "a", at: new Date(NaN) }, { name: "a", at: new Date(Date.UTC(10_000, 0)) }]) {
      reporter.listSteps([wrong])
    }
    reporter.setResult(`${resultPrefix("u1")}r`)
    for (const wrong of [`${resultPrefix("u2")}secret`, "https://example.com/\ud800", 1]) reporter.setResult(wrong)
    reporter.end("succeeded")
  })
  assert.deepEqual(sent.at(-1).steps, [{ name: "fetch", at: "1970-01-01T00:00:00.000Z" }])
  assert.equal(sent.at(-1).result, "results/dTE/r")
  assert.equal(lines.length, 8)
  assert.ok(!lines.join().includes("secret"))
})

test("a reporter without a client publishes nothing", async () => {
  const reporter = new Reporter({ client: null, ...job })
  reporter.phase("work", { steps: 10 })
  reporter.update(5)
  reporter.error("CODE", "text")
  reporter.listSteps([{ name: "fetch" }])
  await reporter.flush()
  reporter.end("succeeded")
  await reporter.close()
  assert.deepEqual(reporter.stats, { published: 0, failed: 0, dropped: 0 })
})
