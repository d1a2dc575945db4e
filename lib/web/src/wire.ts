// Generated from lib/message by `go test ./lib/web -run TestWireTypes -update`. Do not edit.

/** The maximum of jobs in the field have of a sync. */
export const maxHave = 1000
/** The maximum of bytes of JSON in the field have of a sync. */
export const maxHaveBytes = 24576
/** The maximum of bytes of a job's id. */
export const maxID = 256
/** The maximum of bytes of the cursor of a sync. */
export const maxCursor = 4096
/** The maximum of bytes of an uploaded file's name. */
export const maxUploadName = 640
/** The maximum of open uploads of a user. */
export const maxOpenUploads = 5
/** The maximum of bytes of an uploaded file. */
export const maxUploadBytes = 1073741824

/** Batch is many frames in one, for the answer to a sync that asks for batches. A client handles the frames in their order, as if each had come alone. A batch contains no batch. */
export interface Batch {
  /** Frames are whole frames, as Envelope.Encode returns them. */
  frames: unknown[]
}

/** Closing is the last frame before the server closes a connection. It carries the code and the reason, because API Gateway cannot set them in a WebSocket close frame. */
export interface Closing {
  code: string
  reason: string
  /** Reconnect reports whether the client may reconnect at once with the same token. */
  reconnect: boolean
}

/** Dismissed informs all tabs of a user that one of them dismissed a note. */
export interface Dismissed {
  /** ID is the id of the note. */
  id: string
}

/** DownloadURL is the answer to a download. */
export interface DownloadURL {
  /** Request is the request of the message that this frame answers. */
  request: string
  /** Job is the id of the job whose result it is. */
  job: string
  /** URL is where a GET returns the result. A presigned URL is a secret of the user: it must not be logged. */
  url: string
  /** ExpiresAt is when the URL expires. It is missing if the job itself named the URL. */
  expiresAt?: string
}

/** Envelope is one frame from the server to a browser. */
export interface Envelope<T extends string = string, D = unknown> {
  type: T
  timestamp: string
  id?: string
  job?: string
  /** Epoch and Seq order the states of a job. A client drops a state whose (Epoch, Seq) is not greater than that of the state it has. A state without Seq was not stored and has no order. */
  epoch?: string
  seq?: number
  /** Replayed is true for a state or a note that is sent in answer to a sync. */
  replayed?: boolean
  /** Trace is the id of the X-Ray trace of the request that made the server send the frame, see TraceID. Empty means that there is none. Any other text than an id counts as empty. */
  trace?: string
  data: D
}

/** Error informs the user of a failure. */
export interface Error {
  /** Code is a stable code for programs, by convention in upper case with underscores. */
  code: string
  message: string
  /** Details is any JSON value of at most MaxDetails bytes. */
  details?: unknown
}

/** JobProgress is the newest state of one job that is not a file, such as a report, a training or the run of an agent. Its fields are those of UploadProgress, in the same order, with JobID and Title in place of UploadID and FileName. */
export interface JobProgress {
  jobId: string
  /** Title names the job for its user. */
  title: string
  /** Progress is a percentage, 0 to 100. */
  progress: number
  message: string
  currentRow?: number
  totalRows?: number
  status?: Status
  phase?: string
  rowsPerSecond?: number
  /** ETAMillis is the estimated time to completion in milliseconds. */
  etaMs?: number
  failedRows?: number
  /** Attempt is the number of the try that the state belongs to, from 1. Zero means that the worker does not count its tries. */
  attempt?: number
  /** Of is how many tries there are at most. Zero means that this is unknown. */
  of?: number
  /** ExpectEvery is after how many seconds without news the job counts as stalled. EndAfter is after how many seconds without news it ends as failed. Zero means never. */
  expectEvery?: number
  endAfter?: number
  /** Result is where the result of the job is: an https URL, or a key of S3 under the user's own results, see ResultPrefix. Only an end has one. */
  result?: string
  /** Steps are what the job went through, in the order in which it began. A state without steps leaves those of its run. */
  steps?: Step[]
}

/** Notification is a text that the user should read once. */
export interface Notification {
  title: string
  message: string
  severity: Severity
  /** ActionURL is the target of a click: an https or http URL, or a path that starts with a single slash. */
  actionUrl?: string
}

/** Refreshed is the answer to a refresh whose token was accepted. */
export interface Refreshed {
  /** SessionEnd is the new time at which the server will close the connection. */
  sessionEnd: string
}

/** Severity ranks a notification. */
export type Severity = 'info' | 'success' | 'warning' | 'error'

/** Status is the status of a job. */
export type Status = 'running' | 'queued' | 'waiting' | 'retrying' | 'stalled' | 'succeeded' | 'failed' | 'cancelled'

/** Step is something that a job went through, such as a state of its workflow. */
export interface Step {
  /** Name names the step. A step that is done several times may be listed several times. */
  name: string
  /** At is when the step began. */
  at?: string
  status?: StepStatus
  /** Title names the step for the user. If it is missing, Name does. */
  title?: string
}

/** StepStatus is the status of a Step. */
export type StepStatus = 'running' | 'succeeded' | 'failed'

/** Synced is the last answer to a sync. */
export interface Synced {
  /** Jobs and Notes count the frames of each kind that this sync sent. */
  jobs: number
  notes: number
  /** More reports that jobs or notes are left. The client then syncs again, with Cursor and with the id of the newest note that it received. */
  more?: boolean
  /** Cursor is where the next sync continues. It is opaque to clients. Empty means that no job is left to send, and no note of the overlap (see NoteOverlap). Newer notes may be left all the same. */
  cursor?: string
  /** RetryAfter is how many seconds the client must wait before the next sync; 0 means that it need not wait. The server sets RetryAfter if the user's requests caused too many posts in the current minute. */
  retryAfter?: number
}

/** UploadPart is the URL to which the browser sends one part, by PUT. */
export interface UploadPart {
  /** Number counts from 1. */
  number: number
  url: string
}

/** UploadProgress is the newest state of one job, usually an upload. */
export interface UploadProgress {
  /** UploadID is the id of the job, whatever the job is. */
  uploadId: string
  fileName: string
  /** Progress is a percentage, 0 to 100. */
  progress: number
  message: string
  currentRow?: number
  totalRows?: number
  status?: Status
  phase?: string
  rowsPerSecond?: number
  /** ETAMillis is the estimated time to completion in milliseconds. */
  etaMs?: number
  failedRows?: number
  /** Attempt is the number of the try that the state belongs to, from 1. Zero means that the worker does not count its tries. */
  attempt?: number
  /** Of is how many tries there are at most. Zero means that this is unknown. */
  of?: number
  /** ExpectEvery is after how many seconds without news the job counts as stalled. EndAfter is after how many seconds without news it ends as failed. Zero means never. */
  expectEvery?: number
  endAfter?: number
  /** Result is where the result of the job is: an https URL, or a key of S3 under the user's own results, see ResultPrefix. Only an end has one. */
  result?: string
  /** Steps are what the job went through, in the order in which it began. A state without steps leaves those of its run. */
  steps?: Step[]
}

/** UploadURL is the answer to every message about an upload. If the upload has ended, only Request, UploadID, and Complete or Aborted are set. Otherwise Method, URL and Headers are set for a file of at most MaxSinglePut, and PartSize, Done and Parts for a larger one.  The URLs are secrets of the user: they must not be logged. */
export interface UploadURL {
  /** Request is the request of the message that this frame answers. */
  request: string
  /** UploadID is the id of the upload, and of its job. */
  uploadId: string
  /** Size is the size of the file, in bytes. */
  size?: number
  method?: string
  url?: string
  /** Headers are the headers that the browser must send with the PUT. */
  headers?: Record<string, string>
  /** PartSize is the size of each part, in bytes. Only the last part may be smaller. */
  partSize?: number
  /** Done has the numbers of the stored parts, as ranges: the first and the last number of each range. */
  done?: ([number, number])[]
  /** Parts are the first missing parts, at most MaxPartURLs of them. */
  parts?: UploadPart[]
  /** ExpiresAt is when the URLs expire. */
  expiresAt?: string
  /** Complete means that the whole file is stored. Aborted means that it never will be. */
  complete?: boolean
  aborted?: boolean
}

/** Welcome is the first answer to a sync, unless the sync turns it off. */
export interface Welcome {
  connectionId: string
  serverTime: string
  /** SessionEnd is when the server will close the connection, unless the client refreshes its token before. */
  sessionEnd: string
}

/** The codes of Closing that this version knows. */
export type CloseCode = 'TOKEN_EXPIRED' | 'SESSION_LIMIT' | 'RATE_LIMITED' | 'UNKNOWN_CONNECTION' | 'CONNECTION_LIMIT'

/** The data of each type of frame. */
export interface FrameData {
  upload_progress: UploadProgress
  job_progress: JobProgress
  notification: Notification
  error: Error
  pong: unknown
  welcome: Welcome
  synced: Synced
  refreshed: Refreshed
  dismissed: Dismissed
  closing: Closing
  upload_url: UploadURL
  batch: Batch
  download_url: DownloadURL
}
