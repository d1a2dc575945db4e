export type { Interrupted } from './saved.ts';
export { resumable } from './saved.ts';
export type { Upload, UploadOptions, UploadState, UploadStatus, Uploading } from './upload.ts';
export { UploadError } from './errors.ts';
export { upload } from './upload.ts';
