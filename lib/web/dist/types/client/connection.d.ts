import { type Frame, type LocalState, type Status } from './api.ts';
import { type Tokens } from './tokens.ts';
import type { View } from './view.ts';
/** What a tab has done by the connection, of its own or of another tab. */
export type Call = ['request', action: string, fields: Record<string, unknown>] | ['dismiss', id: string] | ['refresh', token: string | undefined] | ['sync'];
/** Reaches the server, by a socket of its own or of another tab. */
export interface Link {
    call(call: Call): Promise<unknown>;
    /** Looks after the connection, as the browser is awake again or the network is back. */
    wake(): void;
    close(): void;
    /** Shows a state that this browser made itself to the origin's other tabs. */
    show?(state: LocalState, timestamp: string): void;
}
export interface ConnectionHooks {
    view: View;
    frame(frame: Frame): void;
    status(status: Status): void;
    /** Whether the token is of the same user as those before. If not, the connection is of no use any more. */
    sameUser(token: string): boolean;
    /** A sync is complete. */
    synced?(): void;
}
/** Returns whether the server cannot be reached at all, so that a failed handshake says nothing about the token. */
export declare function unreachable(url: string): Promise<boolean>;
/** Connects, and stays connected until it is closed. */
export declare function openConnection(url: string, tokens: Tokens, hooks: ConnectionHooks): Link;
