/** What the Reporter needs of a client of `@aws-sdk/client-lambda`: a `Lambda`, or a `LambdaClient` with its `InvokeCommand`. */
export interface LambdaWithInvoke {
  invoke(input: InvokeInput, options?: { abortSignal?: AbortSignal }): Promise<InvokeOutput>
}
export interface LambdaWithSend {
  // biome-ignore lint: the SDK's overloads fit no narrower type
  send(command: any, options?: any): Promise<any>
}
export interface InvokeInput {
  FunctionName: string
  Payload: Uint8Array
}
export interface InvokeOutput {
  FunctionError?: string | undefined
  Payload?: Uint8Array | undefined
}

/** A client, or null to publish nothing. */
type Client =
  | { client: null; InvokeCommand?: undefined | (new (input: InvokeInput) => unknown) }
  | { client: LambdaWithInvoke; InvokeCommand?: undefined }
  | { client: LambdaWithSend; InvokeCommand: new (input: InvokeInput) => unknown }

type Job = { jobId: string; title: string; uploadId?: undefined; fileName?: undefined } | { uploadId: string; fileName: string; jobId?: undefined; title?: undefined }

export type ReporterOptions = Client &
  Job & {
    /** The notifier's name or ARN. */
    functionName: string
    userId: string
    /** The run of the job; without it, the run that Herald has now. */
    epoch?: string | undefined
    /** The ARN of the execution whose end is the job's end. */
    execution?: string | undefined
    /** The id of the part of the job that this worker does; without it, the whole job. */
    part?: string | undefined
    /** The number of this try of the work, from 1, and how many there are at most. Late states of an earlier try do not count. */
    attempt?: number | undefined
    maxAttempts?: number | undefined
    /** The seconds without news after which the job counts as stalled, and after which it ends as failed. Without them, never. */
    expectEvery?: number | undefined
    endAfter?: number | undefined
    /** The rows that failed before this Reporter began. */
    failedRows?: number | undefined
    /** Gets a line for each push that failed, and for a result or steps that are invalid, without anything of them. */
    log?: ((line: string) => void) | undefined
  }

export interface PhaseOptions {
  /** What the job does in the phase; running by default. */
  status?: "running" | "queued" | "waiting" | "retrying" | "stalled" | undefined
  /** The job's progress in percent before the first step; 0 by default. */
  from?: number | undefined
  /** The job's progress in percent after the last step; 100 by default. */
  to?: number | undefined
  /** The number of all steps. If it is 0, the progress stays at `from`. For a part, the steps of the whole job. */
  steps?: number | undefined
  /** The steps that were done before the phase began here. */
  done?: number | undefined
  /** Whether a step is a row: then rows, their rate and the time left are shown. */
  rows?: boolean | undefined
  /** Shown if `rows` is false. */
  currentRow?: number | undefined
  totalRows?: number | undefined
  /** Returns the message; without it, the message is the phase's name. */
  text?: ((done: number, steps: number) => string) | undefined
}

/** Something that a job went through, such as a state of its workflow. */
export interface Step {
  /** At most 320 bytes. */
  name: string
  /** When the step began. */
  at?: Date | undefined
  /** running by default. */
  status?: "running" | "succeeded" | "failed" | undefined
  /** What the user reads in place of the name, at most 320 bytes. */
  title?: string | undefined
}

/** Returns the prefix of the keys of a user's results in S3. */
export function resultPrefix(userId: string): string

/** The notifier refused a request: the message names the field and the rule. It is thrown by the next call. */
export class RefusedError extends Error {
  readonly name: "InvalidMessage" | "PayloadTooLarge"
}

/** Reports one job, or one part of a job, of one user. Its methods never wait, except `flush` and `close`. */
export class Reporter implements AsyncDisposable {
  constructor(options: ReporterOptions)
  /** Calls `work` with a new Reporter, and closes it afterwards. An error of the work does not end the job. */
  static run<T>(options: ReporterOptions, work: (reporter: Reporter) => T | Promise<T>): Promise<T>
  /** Begins a phase, which is pushed at once. */
  phase(name: string, options?: PhaseOptions): void
  /** Sets how many steps of the phase are done. */
  update(done: number): void
  /** Adds to the failed rows. Call it before the update that counts the rows as done. */
  reject(rows?: number): void
  /** Sends an error message at once. If too many wait, it is dropped. */
  error(code: string, message: string, details?: unknown): void
  /**
   * Sets where the result of the job is, which the end publishes: an https URL, or a key of S3 that begins with `resultPrefix(userId)`.
   * Call it before `end`. Anything else is logged and not set, because it must not prevent the end.
   */
  setResult(result: string): void
  /**
   * Sets the list of what the job went through, which each further state publishes. It is not about the steps that `update` counts. Of
   * more than 32 steps only the newest are published. If one of them is invalid, that is logged, and the list stays as it was.
   */
  listSteps(steps: Iterable<Step>): void
  /** Ends the whole job. It ends once: further calls do nothing. */
  end(status: "succeeded" | "failed" | "cancelled", text?: string): void
  /** Publishes what is not published yet, and goes on. Call it where the process may stop for a time. */
  flush(): Promise<void>
  /** Publishes the last state and the errors that are not published yet, within 4 s, and stops. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
  /** The invocations that succeeded and failed, and the error messages that were given up. */
  readonly stats: { readonly published: number; readonly failed: number; readonly dropped: number }
}
