// Compiles only if the types fit: tsc --noEmit --strict --module nodenext --target es2022 --types node test/types.ts
import { Reporter, type RefusedError, type ReporterOptions } from "../reporter.js"

const answer = Promise.resolve({ Payload: new Uint8Array() })
const client = { invoke: () => answer }
class InvokeCommand {
  constructor(readonly input: { FunctionName: string; Payload: Uint8Array }) {}
}
const options: ReporterOptions = { client, functionName: "n", userId: "u", jobId: "j", title: "t", attempt: 2 }
const sending: ReporterOptions = { client: { send: () => answer }, InvokeCommand, functionName: "n", userId: "u", uploadId: "u", fileName: "f" }
// @ts-expect-error: a client with send needs InvokeCommand
const incomplete: ReporterOptions = { client: { send: () => answer }, functionName: "n", userId: "u", jobId: "j", title: "t" }
// @ts-expect-error: a job has one pair of names
const twice: ReporterOptions = { client, functionName: "n", userId: "u", jobId: "j", title: "t", uploadId: "u", fileName: "f" }

export async function use(): Promise<number> {
  const reporter = new Reporter(sending)
  reporter.phase("read", { steps: 3, status: "waiting", text: (done, steps) => `${done} of ${steps}` })
  reporter.update(1)
  // @ts-expect-error: not an end
  reporter.end("running")
  await reporter.close().catch((err: RefusedError) => err.name satisfies "InvalidMessage" | "PayloadTooLarge")
  return Reporter.run(options, (r) => r.stats.published)
}
void incomplete
void twice
