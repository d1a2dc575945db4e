// The times and bounds of the client. Times are in milliseconds. They are plain numbers, so that the build puts them in place.

// The connection.

/** How long a handshake and a pong may take, and from a sync to the end of its answer. */
export const answerTimeout = 10_000
/** How long the application may take to return a token, and the server to answer a request. */
export const requestTimeout = 30_000
/** The bound of the first pause before another connection. It doubles up to maxPause; a random share of it passes. */
export const firstPause = 500
export const maxPause = 20_000
/** The time without any frame after which the client pings: API Gateway closes a connection after 10 idle minutes. */
export const pingAfter = 570_000
/** A timer that is later than this was delayed by a hidden tab or a sleeping computer: the server may have answered in time. */
export const lateTimer = 2000
/** The shortest time between two checks of the connection because the tab woke up. */
export const wakePause = 5000

// The token and the session.

/** After so many handshakes in a row that failed, the token may have been refused: a browser does not see the reason. */
export const refusedAfter = 2
/** As many for a token that has opened a connection and has not run out: the server is more likely to be at fault. */
export const doubtedAfter = 10
/** After a token was refused, another one is asked for after this pause or up to twice as long. */
export const askAfter = 60_000
/** Before a session's end: when the client renews it. */
export const renewLead = 60_000
/** After a session's end: when the client syncs, as the closing frame may have been lost. */
export const endGrace = 5000
/** A session this long is near API Gateway's two hours: no token prolongs it, so another connection takes its place. */
export const longSession = 7_000_000

// Syncs.

/** From a connection's start to its second sync: a sender that could not read the new connection yet may have stored a message. */
export const secondSyncAfter = 5000
/** The time without a frame of a running job after which a client syncs. It doubles while none comes. */
export const silenceAfter = 30_000
export const maxSilence = 120_000
/** From the last sync to the next one in any case. */
export const quietSyncAfter = 1_800_000
/** The pause after the first failed sync. It doubles up to maxPause. */
export const syncPause = 1000
/** The pause after the server's error RATE_LIMITED, and the longest pause that the server can ask for. */
export const rateWindow = 60_000
export const maxServerPause = 300_000
/** During a sync, the stores' listeners are called so often at most. */
export const flushEvery = 100

// What is held.

/** How many jobs are held: the running ones first, then the newest others. */
export const maxJobs = 10_000
/** How many notes are shown: the newest. */
export const maxShown = 1000
/** How many ids of notes are remembered, so that no note is shown twice. */
export const maxSeen = 10_000
/** How many of the ids up to since stay when there is no room. Of these notes a sync repeats at most the newest 200. */
export const recentSeen = 1000

// Tabs.

/** How often a follower asks whether the leader is there, and how many questions without an answer mean that it is frozen. */
export const askEvery = 1000
export const maxMisses = 2
/** A tab whose token was refused lets another one lead, at most this often. */
export const stepDownEvery = 20_000
/** The pause before another question for the first token, and before a new tab asks for the leader. */
export const tokenPause = 2000

// What a connection does at a certain time, in this order. From firstSync on it is a sync: these wait while a sync runs, during
// the pause after a failed one, and as long as the server says. All but retrySync need a new sync: they stay set while the
// pages of another one come.

export const attemptDue = 0
export const pongTimeout = 1
export const syncTimeout = 2
export const pingDue = 3
export const renewDue = 4
export const firstSync = 5
export const secondSync = 6
export const quietSync = 7
export const silentSync = 8
export const afterEndSync = 9
export const requestedSync = 10
export const retrySync = 11
