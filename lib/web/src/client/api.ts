import type { Closing, Dismissed, Envelope, Error as ErrorData, FrameData, JobProgress, Notification, Severity, Step, UploadProgress } from '../wire.ts'

/** What the application knows about the token that it is asked for. */
export interface TokenAsk {
  /** True after two handshakes in a row that failed: the last token was probably refused, so a cached one is of no use. */
  refused: boolean
}

/** A token, or a function that returns one. The function is called anew for each connection. */
export type TokenSource = string | ((ask: TokenAsk) => string | Promise<string>)

/** The options of {@link connect}. */
export interface Options {
  /** The WebSocket URL, without a token. */
  url: string
  /** The user's token. Tokens of different users have different `sub` claims. */
  token: TokenSource
  /** Whether all tabs of this origin and user share one connection, where the browser can. Default: true. */
  tabs?: boolean
}

/** A value that changes, for React's useSyncExternalStore, Svelte, signals and the like. */
export interface Store<T> {
  /** Returns the value. It is the same object until the value changes. */
  getSnapshot(): T
  /** Calls the listener after changes, once for all frames that came together. Returns a function that ends this. */
  subscribe(listener: () => void): () => void
}

/** The state of the connection. */
export type State =
  /** A connection is being opened. */
  | 'connecting'
  /** There is a connection, and what was missed is on its way. */
  | 'syncing'
  /** There is a connection, and everything is up to date. */
  | 'live'
  /** There is no connection. The client tries again at `retryAt`, and when the network is back. */
  | 'offline'
  /** The token was refused or has expired, and the application has no other one. The client asks for another now and then. */
  | 'refused'
  /** The connection was closed by {@link Herald.close}, or by the server for good: see `code`. */
  | 'closed'

/** The state of the connection, with the reason for it. */
export interface Status {
  readonly state: State
  /** A code of the frame `closing`, such as CONNECTION_LIMIT, or REFUSED. */
  readonly code?: string
  /** The reason for the code, in words of the server. */
  readonly reason?: string
  /** When the client tries again, in milliseconds since 1970. */
  readonly retryAt?: number
}

/** The newest state of a job. The object is never changed: a newer state is another object. */
export interface Job<Meta = unknown> {
  readonly id: string
  /** The run of the job that the state belongs to, and its number in that run. Empty and 0 for a state that was not stored. */
  readonly epoch: string
  readonly seq: number
  /** Which frames the job's states come in: those of a job that is a file, or of any other. */
  readonly type: 'upload_progress' | 'job_progress'
  /** succeeded, failed and cancelled are ends. Every other status is that of a job that goes on, also one that this version does not know. */
  readonly status: NonNullable<UploadProgress['status']> | (string & {})
  readonly phase: string
  /** 0 to 100. It never falls within a run. */
  progress: number
  /** The name of the job for its user: the title, or the name of the file. */
  readonly title: string
  /** The same text as `title`. */
  readonly fileName: string
  readonly message: string
  readonly currentRow?: number
  readonly totalRows?: number
  readonly failedRows?: number
  readonly rowsPerSecond?: number
  /** The time that is left, in milliseconds. */
  readonly etaMs?: number
  /** The number of the try, from 1, and how many there are at most, as far as the worker says it. */
  readonly attempt?: number
  readonly of?: number
  /** After how many seconds without news the job counts as stalled, and after how many it ends as failed. */
  readonly expectEvery?: number
  readonly endAfter?: number
  /** What the job went through, in the order in which it began. A step that runs when the job ends has ended with it. */
  readonly steps?: readonly Step[]
  /** Where the result of an ended job is. Do not open it: the answer to `request('download', { job: id })` has a URL. */
  readonly result?: string
  /** Whether this run has ended. */
  readonly terminal: boolean
  /** What the application put into the message's `meta`. */
  readonly meta?: Meta
  /** When the state was made, in milliseconds since 1970 by the server's clock. */
  readonly updatedAt: number
  /** Whether this browser made the state: the bytes of an upload that is still under way. */
  readonly local?: boolean
}

/** A notification or an error for the user. */
export interface Note<Meta = unknown> {
  readonly id: string
  readonly type: 'notification' | 'error'
  /** The title of a notification, or the code of an error. */
  readonly title: string
  readonly message: string
  readonly severity: Severity
  readonly actionUrl?: string
  readonly details?: unknown
  readonly meta?: Meta
  /** When the note was made, in milliseconds since 1970 by the server's clock. */
  readonly at: number
}

/** A frame from the server, as it came. */
export type Frame<T extends string = string> = Envelope<T, T extends keyof FrameData ? FrameData[T] : unknown>

/** The frames that listeners get, by type. Others pass, too, with data of an unknown shape. */
export interface Frames {
  upload_progress: UploadProgress
  job_progress: JobProgress
  notification: Notification
  error: ErrorData
  dismissed: Dismissed
  closing: Closing
}

/** The state of a job that this browser makes itself, while it uploads the job's file. */
export type LocalState = Omit<UploadProgress, 'status'> & { status?: string }

/** A client of one user. `connect` returns it. */
export interface Herald<Meta = unknown> {
  /** All jobs: running ones first, in each group the newest first. */
  readonly jobs: Store<readonly Job<Meta>[]>
  /** The notes that are not dismissed, the newest first. */
  readonly notes: Store<readonly Note<Meta>[]>
  /** The state of the connection. */
  readonly status: Store<Status>

  /** Returns the newest state of a job, if one has come. The object is the same until it changes. */
  job(id: string): Job<Meta> | undefined
  /** Returns the `sub` of the token, or '' as long as there is no token, or if it is no JWT. */
  user(): string
  /** Calls the listener at once with each frame of a type that is new to this tab. Returns a function that ends this. */
  on<T extends string>(type: T, listener: (frame: Frame<T>) => void): () => void
  /**
   * Waits for the end of a job's run: the one that is shown, or the next one if none is. It resolves at once if the job has
   * ended, and rejects when the signal is aborted. A client that is closed sees no end.
   */
  until(job: string, options?: { signal?: AbortSignal }): Promise<Job<Meta>>
  /** Waits for everything that the server knows now. */
  sync(): Promise<void>
  /**
   * Gives the session a new token, this one or another of the token source, and waits until the server has taken it. A
   * client that was refused connects with it.
   */
  refresh(token?: string): Promise<void>
  /** Dismisses a note in all tabs and devices of the user. The note is gone from this tab at once. */
  dismiss(id: string): Promise<void>
  /**
   * Sends an action with a new `request` id, and waits for the frame whose data has the same id. It rejects with a
   * {@link HeraldError} if that frame is an error, if no answer comes within 30 s, or if the connection is lost meanwhile.
   */
  request<T extends string = string>(action: string, fields?: Record<string, unknown>): Promise<Frame<T>>
  /** Shows a state that this browser made itself, in all tabs of the origin. Any state from the server replaces it. */
  show(state: LocalState): void
  /** Ends this use. The connection closes one macrotask after its last use has ended. */
  close(): void
}

/** The error of a {@link Herald} call. */
export class HeraldError extends Error {
  /** A code of the server's error frame, or TIMEOUT, CONNECTION_LOST, CLOSED. */
  declare readonly code: string
  declare readonly details?: unknown

  constructor(code: string, message = code, details?: unknown) {
    super(message)
    Object.assign(this, { code, details })
  }
}
