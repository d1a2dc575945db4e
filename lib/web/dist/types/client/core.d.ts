import { type Herald, type Options, type TokenSource } from './api.ts';
/** What the frames of one user become, and the link that they come by. One core serves all who connect alike. */
export interface Core {
    readonly herald: Omit<Herald, 'close'>;
    /** The options. Their token function may be replaced by a newer one of the same kind. */
    readonly options: Options;
    /** The token source that the core was made for. */
    readonly source: TokenSource;
    /** Begins a use: the first one connects. Returns a function that ends it: the last one closes, one macrotask later. */
    use(): () => void;
}
/** Returns a core that connects with its first use, and calls onClose when it has closed for good. */
export declare function newCore(options: Options, onClose: () => void): Core;
