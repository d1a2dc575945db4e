import type { TokenSource } from './api.ts';
/** The tokens of one user: where they come from, and which of them are of no use any more. */
export interface Tokens {
    /** Returns a token. It rejects if the application has none. */
    next(refused: boolean): Promise<string>;
    /** Gives a token that the application has brought by itself. */
    give(token: string): void;
    /** Whether the application can be asked for another token. */
    canAsk: boolean;
    /** The last token that was refused or has run out, and the code that says which. Both are empty if there is none. */
    dead: string;
    deadCode: string;
}
/** Returns the tokens of a source. The first token, if given, has come from it already. */
export declare function tokensOf(source: TokenSource, first?: string): Tokens;
/** Returns the claims of a JWT, unverified, or nothing if it is none. */
export declare function claimsOf(token: string): {
    iss?: unknown;
    sub?: unknown;
    exp?: number;
};
