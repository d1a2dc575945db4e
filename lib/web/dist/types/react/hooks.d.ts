import { type ReactNode } from 'react';
import { type Herald, type Job, type Note, type Options, type Status } from '../client/index.ts';
/** What {@link useHerald} returns: what is shown, and the methods of the client. */
export interface HeraldHook<Meta = unknown> extends Omit<Herald<Meta>, 'jobs' | 'notes' | 'status' | 'close'> {
    readonly jobs: readonly Job<Meta>[];
    readonly notes: readonly Note<Meta>[];
    readonly status: Status;
}
/** Returns the options of a hook, or those of the provider above. They are the same object until they change. */
export declare function useOptions(options?: Options): Options;
/** Connects all below it: there {@link useHerald} and {@link useJob} need no options. */
export declare function HeraldProvider({ children, ...options }: Options & {
    children?: ReactNode;
}): ReactNode;
/**
 * Returns what the user should see, and the methods of the client. The component renders again when it changes. All components
 * with the same URL and token share a connection, which lives outside of React.
 */
export declare function useHerald<Meta = unknown>(options?: Options): HeraldHook<Meta>;
/** Returns the newest state of a job, if one has come. The component renders again only when this job changes. */
export declare function useJob<Meta = unknown>(id: string, options?: Options): Job<Meta> | undefined;
