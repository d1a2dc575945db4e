import type { Frame } from './api.ts';
import { type Sync } from './sync.ts';
import type { View } from './view.ts';
/** How long a handshake and a pong may take, and from a sync to the end of its answer. */
export declare const answerTimeout: number;
export declare const maxPause: number;
/** What a session needs of the connection that it belongs to. */
export interface Owner {
    view: View;
    sync: Sync;
    /** Returns the token of the running session, or another one. It rejects if there is none. */
    token(): Promise<string>;
    /** Applies a frame. */
    frame(frame: Frame): void;
    opened(session: Session): void;
    /** A sync is complete: everything that the server had when it began has come. */
    synced(session: Session): void;
    /** Whether someone waits for a sync that has not begun; begun says that one begins. */
    syncWanted(begun?: boolean): boolean;
    /** The session is to be replaced by another one, with a token if it is another one. */
    renew(token: string): void;
    /** The session has ended. A session that never opened was refused, or the server could not be reached. */
    ended(session: Session, closing?: Frame<'closing'>): void;
}
/** One WebSocket connection. */
export interface Session {
    readonly token: string;
    /** Whether it has opened, and whether a frame has come. */
    opened: boolean;
    worked: boolean;
    /** Sends a message. */
    send(message: object): void;
    /** Sends a token to prolong the session. */
    refresh(token: string): void;
    /** Pings, then syncs. */
    wake(): void;
    /** Syncs as soon as it may. */
    syncSoon(): void;
    /** Stops to sync, as another session does, but goes on to receive. */
    retire(): void;
    /** When the server takes messages again, after it has said that there were too many. */
    pausedUntil(): number;
    close(): void;
}
/** Opens a connection with a token. */
export declare function openSession(url: string, token: string, owner: Owner): Session;
