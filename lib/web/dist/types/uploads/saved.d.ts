import type { Herald } from '../client/api.ts';
/** An upload that has not ended. The browser cannot open its file again by itself: the user has to choose it. */
export interface Interrupted {
    /** The id of the upload and of its job. */
    readonly job: string;
    readonly fileName: string;
    readonly size: number;
    /** The file's own time of change. A file with the same name, size and time is the same. */
    readonly lastModified: number;
    /** How many bytes were stored, as far as this browser knows. */
    readonly sent: number;
    /** When the upload began, in milliseconds since 1970. The server gives it up after a day. */
    readonly at: number;
}
/** The name of the lock that a tab has while it sends an upload. */
export declare const lockOf: (job: string) => string;
/** Returns the uploads of a user that have not ended, the newest first. There are none where the browser stores nothing. */
export declare function readSaved(user: string): Interrupted[];
/** Stores an upload in place of the one with the same job. Without an upload it removes the job. */
export declare function save(user: string, job: string, upload?: Interrupted): void;
/** Whether an upload is one of a file. */
export declare function isOf(file: File): (upload: Interrupted) => boolean;
/**
 * Returns the uploads that a reload or a crash has interrupted, and no tab is sending: all of the user, or those of a file.
 * {@link upload} continues the one of its file.
 */
export declare function resumable(herald: Pick<Herald, 'status' | 'user'>, file?: File): Promise<Interrupted[]>;
