import type { Frame, Job, LocalState } from './api.ts';
import { type Notes } from './notes.ts';
/** A job of a view: the state that is shown, and the position (epoch, seq) of the newest stored one. A seq of 0 is none. */
export interface Entry {
    job: Job;
    epoch: string;
    seq: number;
    /** When the job was first seen here, for its place among the shown jobs. */
    order: string;
}
/** What came of the page of a sync that is being answered. */
export interface Page {
    /** The ids that came since the request; undefined before the first request. */
    jobs?: Set<string>;
    notes: Set<string>;
    newest: string;
    /** Whether a state moved a job's position. */
    moved: boolean;
    /** Whether the server marks the states of its answers: others were pushed, and do not count. */
    marked: boolean;
}
/** What a user should see. It depends on the frames only, not on time or connections. */
export interface View {
    jobs: Map<string, Entry>;
    /** The jobs in the order of byStart, as long as they are as they are. */
    list?: readonly Job[];
    notes: Notes;
    page: Page;
}
export declare function emptyView(): View;
/** Orders running jobs before ended ones, and newer states before older ones: what the server should know first. */
export declare function byNews(a: Entry, b: Entry): number;
/** Returns the jobs: running ones first, in each group the one that started last first. */
export declare function listJobs(view: View): readonly Job[];
/**
 * Applies a frame, and returns whether it is new and must be shown:
 *
 * - A job's state is new if its epoch and seq are newer than all before. A running state with less progress than an unstored
 *   one that is shown only moves the position: the shown progress never falls.
 * - A state without seq was not stored. It is new if it belongs to no older run, the run has not ended, and the progress
 *   does not fall. It does not move the position.
 * - A note is new if its id has not come, or it has none.
 * - A dismissal is new if the note was shown.
 * - Every other frame is new.
 */
export declare function apply(view: View, frame: Frame): boolean;
/** Applies a state that a browser made itself, and returns whether it is shown: not if the server has sent one. */
export declare function applyLocal(view: View, state: LocalState, timestamp: string): boolean;
