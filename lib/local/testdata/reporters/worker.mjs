// Works for a time and reports, in one of several modes.

import { setTimeout as sleep } from "node:timers/promises"
import { Lambda } from "@aws-sdk/client-lambda"
import { Reporter, resultPrefix } from "@herald-progress/reporter"

export const handler = async ({ mode, userId, jobId, title, epoch }) => {
  const part = mode.startsWith("part-") ? mode : undefined
  const functionName = process.env.NOTIFIER_FUNCTION_NAME
  const options = { client: new Lambda(), functionName, userId, jobId: part ? "album-parts" : jobId, title, epoch, part }
  if (mode === "unclosed") {
    new Reporter(options).end("failed", "not closed")
    return
  }
  await Reporter.run(options, async (reporter) => {
    if (mode === "steady") {
      const began = new Date("2026-11-22T10:00:00.000Z")
      reporter.listSteps([{ name: "fetch", at: began, status: "succeeded" }, { name: "thumbnails", title: "Making \"thumbnails\"" }])
      reporter.phase("thumbnails", { steps: 100, rows: true })
      for (let n = 1; n <= 100; n++) {
        await sleep(10)
        reporter.update(n)
      }
      reporter.setResult(`${resultPrefix(userId)}album.zip`)
      reporter.end("succeeded", "done")
      return
    }
    reporter.phase("thumbnails", { steps: 10, rows: true })
    if (mode === "crash") {
      reporter.update(5)
      await reporter.flush()
      reporter.update(6)
      process.exit(3) // what is not flushed is lost
    }
    reporter.reject()
    reporter.update(4)
  })
}
