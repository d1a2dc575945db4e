import type { LocalState } from '../client/api.ts';
import type { ConnectionHooks, Link } from '../client/link.ts';
import { type Tokens } from '../client/tokens.ts';
/** What the tabs' connection reports to its core, and asks it. */
export interface TabHooks extends ConnectionHooks {
    show(state: LocalState): void;
}
/**
 * Opens one connection for all tabs of an origin and user. A lock elects the tab that has it; the others follow: they apply the
 * frames that it passes on, and send by it. When it is gone, the lock falls to another tab, which knows all that it knew, and
 * syncs. Without the browser's support each tab connects by itself.
 */
export declare function openTabs(url: string, tokens: Tokens, hooks: TabHooks): Link;
