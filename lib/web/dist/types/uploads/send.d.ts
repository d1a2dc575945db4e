import type { UploadURL } from '../wire.ts';
/** What sending needs of an upload. */
export interface Sender {
    file: File;
    signal: AbortSignal;
    /** Says how many bytes are sent, counting those that are under way. */
    sent(bytes: number): void;
    /** Asks the server which parts are missing, and for their URLs. */
    missing(): Promise<UploadURL>;
}
/** Sends the missing bytes of a file to where an answer of the server says. It rejects with an {@link UploadError}. */
export declare function send(answer: UploadURL, sender: Sender): Promise<void>;
