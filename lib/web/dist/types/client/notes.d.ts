import type { Frame, Note } from './api.ts';
/** Returns the smallest ULID of a time. */
export declare function firstID(ms: number): string;
/**
 * The notes that came. A note is new if its id is not among those seen, even if later ids are: a note may be stored long
 * after others with later ids. So an id is forgotten only when no sync sends the note again.
 */
export interface Notes {
    /** The notes that are not dismissed, the newest first. The list is another one when it changes. */
    shown: readonly Note[];
    seen: Set<string>;
    /** The newest note up to which syncs are complete; later ones may be missing. Empty is none. */
    since: string;
    /** The smallest id of the server's time when it began to answer a sync without since. */
    welcomed: string;
    /** Whether a note was left out, so that another sync must bring it. */
    skipped?: boolean;
}
/** Returns the notes before the first frame. */
export declare function emptyNotes(): Notes;
/** Adds the note of a frame, and returns whether it is new. */
export declare function addNote(notes: Notes, frame: Frame): boolean;
/** Removes a note, and remembers its id, as the note may come later. Returns whether it was shown. */
export declare function removeNote(notes: Notes, id: string): boolean;
