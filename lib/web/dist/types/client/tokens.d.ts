import type { Options } from './api.ts';
/** The tokens of one user: where they come from, and which of them is of no use any more. */
export interface Tokens {
    /** Returns a token. It is empty if the application has none, or rejects. */
    next(refused: boolean): Promise<string>;
    /** Sets the token that next returns the next time, if it is not empty; for a source that is a text, from now on. */
    give(token: string): void;
    /** Whether the application can be asked for another token. */
    canAsk: boolean;
    /** The last token that was refused or has run out, and the code that says which. Both are empty if there is none. */
    dead: string;
    deadCode: string;
}
/** Returns the tokens of a source. The first one, if given, has come from it already. */
export declare function tokensOf(source: Pick<Options, 'token'>, given?: string): Tokens;
/** Returns the claims of a JWT, unverified, or none if it is no JWT. */
export declare function claimsOf(token: string): {
    iss?: unknown;
    sub?: unknown;
    exp?: number;
};
/** Returns the user of a token, or '' if the token does not name one: the tabs of an origin share a connection for each. */
export declare function userOf(token: string): string;
