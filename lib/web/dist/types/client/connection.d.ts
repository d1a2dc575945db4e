import { type ConnectionHooks, type Link } from './link.ts';
import { type Tokens } from './tokens.ts';
/** Connects, and stays connected until it is closed. */
export declare function openConnection(url: string, tokens: Tokens, hooks: ConnectionHooks): Link;
