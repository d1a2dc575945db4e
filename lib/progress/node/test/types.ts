// Compiles only if the types fit: tsc --noEmit --strict --module nodenext --target es2022 --types node test/types.ts
import { Reporter, resultPrefix, type RefusedError, type ReporterOptions, type Step } from "../reporter.js"

const answer = Promise.resolve({ Payload: new Uint8Array() })
const client = { invoke: () => answer }
class InvokeCommand {
  constructor(readonly input: { FunctionName: string; Payload: Uint8Array }) {}
}
const options: ReporterOptions = { client, functionName: "n", userId: "u", jobId: "j", title: "t", attempt: 2 }
const sending: ReporterOptions = { client: { send: () => answer }, InvokeCommand, functionName: "n", userId: "u", uploadId: "u", fileName: "f" }
const silent: ReporterOptions = { ...sending, client: null }
// @ts-expect-error: a client with send needs InvokeCommand
const incomplete: ReporterOptions = { client: { send: () => answer }, functionName: "n", userId: "u", jobId: "j", title: "t" }
// @ts-expect-error: a job has one pair of names
const twice: ReporterOptions = { client, functionName: "n", userId: "u", jobId: "j", title: "t", uploadId: "u", fileName: "f" }

export async function use(): Promise<number> {
  const reporter = new Reporter(sending)
  reporter.phase("read", { steps: 3, status: "waiting", text: (done, steps) => `${done} of ${steps}` })
  reporter.update(1)
  const steps: Step[] = [{ name: "fetch", at: new Date(), status: "succeeded" }, { name: "parse", title: "Reading" }]
  reporter.listSteps(steps)
  // @ts-expect-error: not a status of a step
  reporter.listSteps([{ name: "fetch", status: "cancelled" }])
  reporter.setResult(`${resultPrefix("u")}report.pdf`)
  // @ts-expect-error: not an end
  reporter.end("running")
  await reporter.close().catch((err: RefusedError) => err.name satisfies "InvalidMessage" | "PayloadTooLarge")
  return Reporter.run(options, (r) => r.stats.published)
}
void silent
void incomplete
void twice
