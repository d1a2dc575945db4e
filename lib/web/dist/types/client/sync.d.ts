import { type Synced } from '../wire.ts';
import type { Message } from './session.ts';
import { type View } from './view.ts';
/** A sync takes several pages, and several requests: where it is. */
export interface Sync {
    /** The since of the request that is being answered, and of the one of the first page. */
    since: string;
    firstSince: string;
    /** Where the next page starts. Empty is the first page. */
    cursor: string;
    /**
     * From the first complete sync on, a sync may be brief: it ends with a page whose states are all known, because the server
     * sends newer states first. This order holds only within one read of the server's store, so not every sync is brief.
     */
    complete: boolean;
    brief: boolean;
}
export declare function newSync(): Sync;
/**
 * Makes the next request start at the first page. If pages were to follow, since goes back to that of the first page: only
 * the cursor says that the notes before since have not come yet.
 */
export declare function firstPage(sync: Sync, { notes }: View): void;
/** Returns the message that requests the next page, and begins to count what comes. */
export declare function requestPage(sync: Sync, view: View, welcome: boolean): Message;
/** What follows the end of a page: the same page again, the next one now or later, or nothing. */
export type PageEnd = 'again' | 'next' | 'complete';
/**
 * Handles the end of a page. If fewer frames came than the server counts, some were lost: since goes back to that of the
 * request, as a late end of an earlier sync may have moved it, and the same page is requested again.
 */
export declare function endPage(sync: Sync, { notes, page }: View, end: Synced): PageEnd;
