export { HeraldProvider, useHerald, useJob } from './hooks.ts';
export type { HeraldHook } from './hooks.ts';
export { useUpload } from './upload.ts';
export type { UploadHook } from './upload.ts';
