import { type Synced } from '../wire.ts';
import { type View } from './view.ts';
/**
 * Makes the next request start at the first page. If pages were to follow, since goes back to that of the first page: only
 * the cursor says that the notes before since have not come yet.
 */
export declare function firstPage({ notes, sync }: View): void;
/**
 * Returns the message that requests the next page, and begins to count what comes. A server that has welcomed this client need
 * not do so again. A legacy server does not know the newer fields.
 */
export declare function requestPage(view: View, welcomed: boolean, legacy: boolean): object;
/** What follows the end of a page: the same page again, the next one now or later, or nothing. */
export type PageEnd = 'again' | 'next' | 'complete';
/**
 * Handles the end of a page. If fewer frames came than the server counts, some were lost: since goes back to that of the
 * request, as a late end of an earlier sync may have moved it, and the same page is requested again.
 */
export declare function endPage({ notes, sync }: View, end: Synced): PageEnd;
