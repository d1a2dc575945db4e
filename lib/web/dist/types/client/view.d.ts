import type { Frame, Job, LocalState } from './api.ts';
import { type Notes } from './notes.ts';
/** A job of a view: the state that is shown, and the position (epoch, seq) of the newest stored one. A seq of 0 is none. */
export interface Entry {
    job: Job;
    epoch: string;
    seq: number;
}
/** A sync: it takes several pages, and several requests. */
export interface Sync {
    /** The ids that came since the request. */
    jobs: Set<string>;
    notes: Set<string>;
    newest: string;
    /** Whether a state moved a job's position. */
    moved: boolean;
    /** Whether the server marks the states of its answers: others were pushed, and do not count. */
    marked: boolean;
    /** The since of the request, and of the one of the first sync. */
    since: string;
    firstSince: string;
    /** Where the next page starts. Empty is the first sync. */
    cursor: string;
    /**
     * From the first complete sync on, a sync may be brief: it ends with a page whose states are all known, because the server
     * sends newer states first. This order holds only within one read of the server's store, so not every sync is brief.
     */
    mayBeBrief?: boolean;
    brief?: boolean;
}
/** What a user should see. It depends on the frames only, not on time or connections. */
export interface View {
    jobs: Map<string, Entry>;
    /** The jobs in the order of byStart, as long as they are as they are. */
    list?: readonly Job[];
    notes: Notes;
    sync: Sync;
}
/** Returns what counts the answer to a request with a since. */
export declare function newPage(since: string): Pick<Sync, 'jobs' | 'notes' | 'newest' | 'moved' | 'since'>;
/** Returns the view of a user of whom no frame has come. */
export declare function emptyView(): View;
/** Orders running jobs before ended ones, and newer states before older ones: what the server should know first. */
export declare const byNews: ({ job: a }: Entry, { job: b }: Entry) => number;
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
 * - Every other frame is new, also a state that names no job: it cannot be stored.
 */
export declare function apply(view: View, frame: Frame): boolean;
/** Applies a state that a browser made itself, and returns whether it is shown: not if the server has sent one. */
export declare function applyLocal(view: View, state: LocalState): boolean;
