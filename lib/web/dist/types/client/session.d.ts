import type { Frame } from './api.ts';
import { type Sync } from './sync.ts';
import type { Tokens } from './tokens.ts';
import type { View } from './view.ts';
/** A message to the server: JSON with an action. */
export interface Message {
    action: string;
    /** An id that the answer has, too. */
    request?: string;
    token?: string;
}
/** What a session needs of the connection that it belongs to. */
export interface Owner {
    view: View;
    sync: Sync;
    tokens: Tokens;
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
    token: string;
    /** Whether it has opened, and whether a frame has come. */
    opened: boolean;
    worked: boolean;
    /** Sends a message. */
    send(message: Message): void;
    /** Pings, then syncs. */
    wake(): void;
    /** Syncs as soon as it may. */
    syncSoon(): void;
    /** Stops to sync, as another session does, but goes on to receive. */
    retire(): void;
    close(closing?: Frame<'closing'>): void;
}
/** Opens a connection with a token. */
export declare function openSession(url: string, token: string, owner: Owner): Session;
