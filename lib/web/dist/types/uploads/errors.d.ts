/** Why an upload failed. */
export declare class UploadError extends Error {
    /** A code of the server's error frame, or NETWORK, STORE (the file's store refuses it), FILE_CHANGED. */
    readonly code: string;
    constructor(code: string, message: string);
}
