// The properties that the build gives short names: they are used within herald.js only. A test holds that none of them is in the
// interface, in a frame, or in what tabs send each other.
export const internal = [
  'again', 'answers', 'bound', 'brief', 'canAsk', 'core', 'dead', 'deadCode', 'firstSince', 'flush', 'give', 'list', 'mayBeBrief',
  'marked', 'moved', 'newest', 'next', 'sameUser', 'sent', 'skipped', 'source', 'completed', 'use', 'view', 'wake', 'welcomed',
]
