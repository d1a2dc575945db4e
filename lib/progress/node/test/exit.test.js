// What is published when a process ends: real processes.

import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { test } from "node:test"
import { fileURLToPath } from "node:url"

const begin = `
  import { Reporter } from ${JSON.stringify(fileURLToPath(new URL("../reporter.js", import.meta.url)))}
  let failures = 0
  const client = {
    async invoke({ Payload }) {
      if (failures-- > 0) throw new Error()
      const { message, status } = JSON.parse(new TextDecoder().decode(Payload)).message.data
      console.log(message, status)
      return { Payload: new TextEncoder().encode("{}") }
    },
  }
  const reporterOf = (client) => new Reporter({ client, functionName: "n", userId: "u", jobId: "j", title: "t" })
  const reporter = reporterOf(client)
`

function run(program) {
  const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "--expose-gc", "-e", begin + program], { timeout: 60_000, encoding: "utf8" })
  return [status, ...stdout.split("\n").filter(Boolean)]
}

test("close keeps the process alive until the last state has arrived", () => {
  assert.deepEqual(run(`failures = 2; reporter.end("succeeded", "done"); await reporter.close(); console.log("closed")`), [0, "done succeeded", "closed"])
})

test("what is not published yet is published when nothing is left to do", () => {
  assert.deepEqual(run(`failures = 2; reporter.end("succeeded", "done"); console.log("works")`), [0, "works", "done succeeded"])
  assert.deepEqual(run(`reporter.phase("work", { steps: 1000 }); await reporter.flush(); reporter.update(1)`), [0, "work undefined", "work undefined"])
  assert.deepEqual(run(`reporter.phase("work"); await reporter.flush()`), [0, "work undefined"])
  assert.deepEqual(run(`await reporter.close(); reporter.end("succeeded")`), [0])
})

test("a notifier that fails or hangs does not keep the process alive", () => {
  assert.deepEqual(run(`failures = Infinity; reporter.end("succeeded"); console.log("works")`), [0, "works"])
  assert.deepEqual(run(`for (let n = 0; n < 20; n++) reporterOf({ invoke: () => new Promise(() => {}) }).end("failed")`), [0])
})

test("a process that is ended by process.exit or an error publishes nothing more", () => {
  const work = `reporter.phase("work", { steps: 9 }); await reporter.flush(); reporter.update(9);`
  assert.deepEqual(run(`${work} process.exit(3)`), [3, "work undefined"])
  assert.deepEqual(run(`${work} throw new Error()`), [1, "work undefined"])
})

test("a reporter that is not in use is not kept alive", () => {
  const program = `
    const collected = new Promise((resolve) => (globalThis.registry = new FinalizationRegistry(resolve)))
    ;(() => registry.register(reporterOf(client), "collected"))()
    const collecting = setInterval(gc, 10)
    console.log(await collected)
    clearInterval(collecting)`
  assert.deepEqual(run(program), [0, "collected"])
})
