export type { Status, Frame, Frames, Herald, Job, LocalState, Note, Options, State, Store, TokenAsk, TokenSource, } from './api.ts';
export { HeraldError } from './api.ts';
export { connect, findCore } from './connect.ts';
