import { type Options } from '../client/index.ts';
import { type Upload, type UploadOptions, type UploadStatus } from '../uploads/index.ts';
/** What {@link useUpload} returns: the status of the upload that it began last, if there is one, and what can be done. */
export interface UploadHook extends Partial<UploadStatus> {
    /** Uploads a file. The upload goes on when the component is gone. */
    upload(file: File, options?: UploadOptions): Upload;
    pause(): void;
    resume(): void;
    cancel(): void;
}
/** Uploads files. The component renders again when the last upload changes. `useJob(job)` shows its import, too. */
export declare function useUpload(options?: Options): UploadHook;
