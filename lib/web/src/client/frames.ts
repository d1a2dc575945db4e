import type { FrameData } from '../wire.ts'
import type { Frame, Job, Note } from './api.ts'

// The fields that must have a type: the first ones are numbers, the others texts. A name has one type in all frames.
const fields = names('seq progress notes jobs retryAfter message status title code cursor type id job epoch uploadId fileName')
const numbers = 5
// The types of frames whose data has these fields.
const known = names('upload_progress notification error welcome synced refreshed dismissed closing')

function names(text: string): string[] {
  return text.split(' ')
}

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
      fits(one) && one.type && (!known.includes(one.type) || fits(one.data))
    ))
  } catch { // no JSON
    return []
  }
}

/** Whether a frame is of a type; then its data has that type's fields. */
export function isA<T extends keyof FrameData>(frame: Frame, type: T): frame is Frame<T> {
  return frame.type === type
}

/** Returns a time in milliseconds since 1970, or 0 if it is not valid. */
export function timeOf(timestamp: string | undefined): number {
  return Date.parse(timestamp!) || 0
}

/** Returns the job that a frame of a state shows. Fields that this version does not know stay in it. */
export function jobOf(frame: Frame<'upload_progress'>, id: string, local?: boolean): Job {
  const { data } = frame
  return {
    fileName: '', message: '', phase: '',
    updatedAt: timeOf(frame.timestamp),
    ...data as object, // of another tab, it is a job
    progress: data.progress ?? 0,
    status: data.status || 'running',
    id, epoch: frame.epoch ?? '', seq: Math.max(0, frame.seq ?? 0),
    terminal: /^(succeeded|failed|cancelled)$/.test(data.status!),
    local,
  } as Job
}

/** Returns the note that a frame shows. */
export function noteOf(frame: Frame): Note {
  const data = frame.data as { code?: string }
  return { title: data.code ?? '', severity: 'error', message: '', at: timeOf(frame.timestamp), ...data, id: frame.id!, type: frame.type } as Note
}
