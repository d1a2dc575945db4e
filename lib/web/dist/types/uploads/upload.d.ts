import type { Herald, Store } from '../client/api.ts';
/** The part of a job's progress that its upload has, in percent. The progress stays there until the server's is greater. */
export declare const uploadPercent = 20;
/**
 * - waiting: for a connection, or for other uploads of the user to end.
 * - sending: bytes are on their way.
 * - paused: what is stored stays; {@link Upload.resume} goes on.
 * - done: the file is stored, and the job goes on at the server.
 * - failed: see `error`; {@link Upload.resume} tries again.
 * - cancelled: nothing is stored.
 */
export type UploadState = 'waiting' | 'sending' | 'paused' | 'done' | 'failed' | 'cancelled';
/** What an upload has come to. The object is never changed. */
export interface UploadStatus {
    readonly state: UploadState;
    /** The id of the job, or '' as long as the server has not given it one. */
    readonly job: string;
    readonly fileName: string;
    /** How many bytes of how many are sent. It never falls. */
    readonly sent: number;
    readonly size: number;
    /** Why it failed: an {@link UploadError}, or the error of the request to the server. Both have a `code`. */
    readonly error?: Error & {
        code?: string;
    };
}
/** The options of {@link upload}. */
export interface UploadOptions {
    /** Cancels the upload. */
    signal?: AbortSignal;
    /** The content type. Default: that of the file, or application/octet-stream. */
    contentType?: string;
}
/** An upload of a file, and a store of its status. */
export interface Upload extends Store<UploadStatus> {
    readonly job: string;
    readonly state: UploadState;
    /** Resolves with the id of the job when the file is stored. It rejects with an {@link UploadError}, or the reason of an abort. */
    readonly done: Promise<string>;
    /** Stops to send. Parts that are stored stay. */
    pause(): void;
    /** Goes on after a pause or a failure. After a failure, `done` is another promise. */
    resume(): void;
    /** Gives the upload up. The promise resolves when the server knows. */
    cancel(): Promise<void>;
}
/** What uploads need of the client. */
export type Uploading = Pick<Herald, 'request' | 'show' | 'status' | 'user'>;
/**
 * Uploads a file. Its bytes are the phase `upload` of its job, which the server goes on with. An upload of the same file that a
 * reload has interrupted is continued. At most five run at once; others wait. A lost network is waited for.
 */
export declare function upload(herald: Uploading, file: File, { signal, contentType }?: UploadOptions): Upload;
