/** How long a handshake and a pong may take, and from a sync to the end of its answer. */
export declare const answerTimeout = 10000;
/** How long the application may take to return a token, and the server to answer a request. */
export declare const requestTimeout = 30000;
/** The bound of the first pause before another connection. It doubles up to maxPause; a random share of it passes. */
export declare const firstPause = 500;
export declare const maxPause = 20000;
/** The time without any frame after which the client pings: API Gateway closes a connection after 10 idle minutes. */
export declare const pingAfter = 570000;
/** A timer that is later than this was delayed by a hidden tab or a sleeping computer: the server may have answered in time. */
export declare const lateTimer = 2000;
/** The shortest time between two checks of the connection because the tab woke up. */
export declare const wakePause = 5000;
/** After so many handshakes in a row that failed, the token may have been refused: a browser does not see the reason. */
export declare const refusedAfter = 2;
/** As many for a token that has opened a connection and has not run out: the server is more likely to be at fault. */
export declare const doubtedAfter = 10;
/** After a token was refused, another one is asked for after this pause or up to twice as long. */
export declare const askAfter = 60000;
/** Before a session's end: when the client renews it. */
export declare const renewLead = 60000;
/** After a session's end: when the client syncs, as the closing frame may have been lost. */
export declare const endGrace = 5000;
/** A session this long is near API Gateway's two hours: no token prolongs it, so another connection takes its place. */
export declare const longSession = 7000000;
/** From a connection's start to its second sync: a sender that could not read the new connection yet may have stored a message. */
export declare const secondSyncAfter = 5000;
/** The time without a frame of a running job after which a client syncs. It doubles while none comes. */
export declare const silenceAfter = 30000;
export declare const maxSilence = 120000;
/** From the last sync to the next one in any case. */
export declare const quietSyncAfter = 1800000;
/** The pause after the first failed sync. It doubles up to maxPause. */
export declare const syncPause = 1000;
/** The pause after the server's error RATE_LIMITED, and the longest pause that the server can ask for. */
export declare const rateWindow = 60000;
export declare const maxServerPause = 300000;
/** During a sync, the stores' listeners are called so often at most. */
export declare const flushEvery = 100;
/** How many jobs are held: the running ones first, then the newest others. */
export declare const maxJobs = 10000;
/** How many notes are shown: the newest. */
export declare const maxShown = 1000;
/** How many ids of notes are remembered, so that no note is shown twice. */
export declare const maxSeen = 10000;
/** How many of the ids up to since stay when there is no room. Of these notes a sync repeats at most the newest 200. */
export declare const recentSeen = 1000;
/** How often a follower asks whether the leader is there, and how many questions without an answer mean that it is frozen. */
export declare const askEvery = 1000;
export declare const maxMisses = 2;
/** A tab whose token was refused lets another one lead, at most this often. */
export declare const stepDownEvery = 20000;
/** The pause before another question for the first token, and before a new tab asks for the leader. */
export declare const tokenPause = 2000;
export declare const attemptDue = 0;
export declare const pongTimeout = 1;
export declare const syncTimeout = 2;
export declare const pingDue = 3;
export declare const renewDue = 4;
export declare const firstSync = 5;
export declare const secondSync = 6;
export declare const quietSync = 7;
export declare const silentSync = 8;
export declare const afterEndSync = 9;
export declare const requestedSync = 10;
export declare const retrySync = 11;
