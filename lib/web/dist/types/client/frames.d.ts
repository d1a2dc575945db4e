import type { FrameData } from '../wire.ts';
import type { Frame, Job, Note } from './api.ts';
/** Returns the frame that a text is, or the frames of a batch. A frame with a field of another type is left out. */
export declare function parseFrames(text: unknown): Frame[];
/** Whether a frame is of a type; then its data has that type's fields. */
export declare function isA<T extends keyof FrameData>(frame: Frame, type: T): frame is Frame<T>;
/** Returns a time in milliseconds since 1970, or 0 if it is not valid. */
export declare function timeOf(timestamp: string | undefined): number;
/** Returns the job that a frame of a state shows. Fields that this version does not know stay in it. */
export declare function jobOf(frame: Frame<'upload_progress'>, id: string, local?: boolean): Job;
/** Returns the note that a frame shows. */
export declare function noteOf(frame: Frame): Note;
