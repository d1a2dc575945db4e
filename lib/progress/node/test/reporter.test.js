// What the scenarios cannot say: processes, clients, wrong arguments.

import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { RefusedError, Reporter } from "../reporter.js"
import { FakeClock } from "./fake-clock.js"

const encode = (value) => new TextEncoder().encode(JSON.stringify(value))
const job = { functionName: "notifier", userId: "u1", jobId: "j", title: "a title" }

test("a reporter that is not closed does not keep the process alive", () => {
  const program = `
    import { Reporter } from ${JSON.stringify(fileURLToPath(new URL("../reporter.js", import.meta.url)))}
    const client = { invoke: async () => { throw new Error() } }
    const reporter = new Reporter({ client, functionName: "n", userId: "u", jobId: "j", title: "t" })
    reporter.phase("train", { steps: 10 })
    await new Promise((resolve) => setTimeout(resolve, 50))
    reporter.update(5)
    console.log("works")`
  const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { timeout: 60_000, encoding: "utf8" })
  assert.deepEqual([status, stdout], [0, "works\n"])
})

test("close keeps the process alive until the last state has arrived", () => {
  const program = `
    import { Reporter } from ${JSON.stringify(fileURLToPath(new URL("../reporter.js", import.meta.url)))}
    let calls = 0
    const client = { invoke: async () => { if (++calls < 3) throw new Error(); return { Payload: new TextEncoder().encode("{}") } } }
    const reporter = new Reporter({ client, functionName: "n", userId: "u", jobId: "j", title: "t" })
    reporter.end("succeeded")
    await reporter.close()
    console.log(calls, reporter.stats.published)`
  const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { timeout: 60_000, encoding: "utf8" })
  assert.deepEqual([status, stdout], [0, "3 1\n"])
})

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
  ]) {
    assert.throws(mistake, TypeError)
  }
})
