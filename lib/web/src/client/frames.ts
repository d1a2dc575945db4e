import type { FrameData } from '../wire.ts'
import type { Frame, Job, Note } from './api.ts'

// The fields that must have a type: the first ones are numbers, the others texts. A name has one type in all frames.
const fields = 'seq progress notes jobs retryAfter message status title code cursor type id job epoch uploadId fileName jobId'.split(' ')
const numbers = 5
// The types of frames whose data has these fields.
const known = /^((upload|job)_progress|notification|error|welcome|synced|refreshed|dismissed|closing)$/

function fits(value: any): boolean {
  return value?.constructor === Object && fields.every((name, at) => (
    value[name] == null || typeof value[name] === (at < numbers ? 'number' : 'string')
  ))
}

/** Returns the frame that a text is, or the frames of a batch. A frame with a field of another type is left out. */
export function parseFrames(text: unknown): Frame[] {
  try {
    const frame = JSON.parse(text as string)
    return (frame.type === 'batch' ? frame.data.frames : [frame]).filter((one: any) => (
      fits(one) && one.type && (!known.test(one.type) || fits(one.data))
    ))
  } catch { // no JSON
    return []
  }
}

/** Whether a frame is of a type; then its data has that type's fields. */
export function isA<T extends keyof FrameData>(frame: Frame, type: T): frame is Frame<T> {
  return frame.type === type
}

/** A frame with a state of a job. */
export type StateFrame = Frame<'upload_progress'> | Frame<'job_progress'>

/** Returns the id of the job whose state a frame is. It is empty if the frame is of another type, or names no job. */
export function jobIDOf({ type, job, data }: Frame): string {
  return /^(upload|job)_progress$/.test(type) ? job || (data as any).uploadId || (data as any).jobId : ''
}

/** Returns a time in milliseconds since 1970, or 0 if it is not valid. */
export function timeOf(timestamp: string | undefined): number {
  return Date.parse(timestamp!) || 0
}

/** Returns the job that a frame of a state shows. Fields that this version does not know stay in it. */
export function jobOf(frame: StateFrame, id: string, local?: boolean): Job {
  const data: any = frame.data
  const title = data.title || data.fileName || ''
  return {
    message: '', phase: '',
    updatedAt: timeOf(frame.timestamp),
    ...data, // of another tab, it is a job
    title, fileName: title,
    progress: data.progress || 0,
    status: data.status || 'running',
    id, type: frame.type, epoch: frame.epoch || '', seq: frame.seq! > 0 ? frame.seq! : 0,
    terminal: /^(succeeded|failed|cancelled)$/.test(data.status),
    local,
  }
}

/** Returns the note that a frame shows. */
export function noteOf(frame: Frame): Note {
  const data = frame.data as { code?: string }
  return { title: data.code ?? '', severity: 'error', message: '', at: timeOf(frame.timestamp), ...data, id: frame.id!, type: frame.type } as Note
}
