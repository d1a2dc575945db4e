import type { FrameData } from '../wire.ts';
import type { Frame, Job, Note } from './api.ts';
/** Returns the frame that a text is, or the frames of a batch. A frame with a field of another type is left out. */
export declare function parseFrames(text: unknown): Frame[];
/** Whether a frame is of a type; then its data has that type's fields. */
export declare function isA<T extends keyof FrameData>(frame: Frame, type: T): frame is Frame<T>;
/** A frame with a state of a job. */
export type StateFrame = Frame<'upload_progress'> | Frame<'job_progress'>;
/** Returns the id of the job whose state a frame is. It is empty if the frame is of another type, or names no job. */
export declare function jobIDOf({ type, job, data }: Frame): string;
/** Returns a time in milliseconds since 1970, or 0 if it is not valid. */
export declare function timeOf(timestamp: string | undefined): number;
/** Returns the job that a frame of a state shows. Fields that this version does not know stay in it. */
export declare function jobOf(frame: StateFrame, id: string, local?: boolean): Job;
/** Returns the note that a frame shows. */
export declare function noteOf(frame: Frame): Note;
