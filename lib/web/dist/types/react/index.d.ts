export { HeraldProvider, useHerald, useJob } from './hooks.ts';
export type { HeraldHook } from './hooks.ts';
