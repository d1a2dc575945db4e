package message

// Welcome is the first answer to a sync, unless the sync turns it off.
type Welcome struct {
	ConnectionID string `json:"connectionId"`
	ServerTime   Time   `json:"serverTime"`
	// SessionEnd is when the server will close the connection, unless the client refreshes its token before.
	SessionEnd Time `json:"sessionEnd"`
}

// Type returns [TypeWelcome].
func (Welcome) Type() Type { return TypeWelcome }

// Validate returns nil, because the server makes the frame.
func (Welcome) Validate() error { return nil }

// Synced is the last answer to a sync.
type Synced struct {
	// Jobs and Notes count the frames of each kind that this sync sent.
	Jobs  int `json:"jobs"`
	Notes int `json:"notes"`
	// More reports that jobs or notes are left. The client then syncs again, with Cursor and with the id of the newest note
	// that it received.
	More bool `json:"more,omitempty"`
	// Cursor is where the next sync continues. It is opaque to clients. Empty means that no job is left to send, and no note
	// of the overlap (see [NoteOverlap]). Newer notes may be left all the same.
	Cursor string `json:"cursor,omitempty"`
	// RetryAfter is how many seconds the client must wait before the next sync; 0 means that it need not wait. The server sets
	// RetryAfter if the user's requests caused too many posts in the current minute.
	RetryAfter int `json:"retryAfter,omitempty"`
}

// Type returns [TypeSynced].
func (Synced) Type() Type { return TypeSynced }

// Validate returns nil, because the server makes the frame.
func (Synced) Validate() error { return nil }

// Refreshed is the answer to a refresh whose token was accepted.
type Refreshed struct {
	// SessionEnd is the new time at which the server will close the connection.
	SessionEnd Time `json:"sessionEnd"`
}

// Type returns [TypeRefreshed].
func (Refreshed) Type() Type { return TypeRefreshed }

// Validate returns nil, because the server makes the frame.
func (Refreshed) Validate() error { return nil }

// The codes of [Closing].
const (
	// CloseTokenExpired means that the token has expired. The client reconnects with a new one.
	CloseTokenExpired = "TOKEN_EXPIRED"
	// CloseSessionLimit means that the connection has been open for almost two hours, the maximum of API Gateway.
	CloseSessionLimit = "SESSION_LIMIT"
	// CloseRateLimited means that the client continued to send requests after RATE_LIMITED errors.
	CloseRateLimited = "RATE_LIMITED"
	// CloseUnknownConnection means that the connection is no longer stored, so it would receive no messages.
	CloseUnknownConnection = "UNKNOWN_CONNECTION"
	// CloseConnectionLimit means that the user opened more connections than the limit. The server closes the connection that
	// was idle for the longest time.
	CloseConnectionLimit = "CONNECTION_LIMIT"
)

// Closing is the last frame before the server closes a connection. It carries the code and the reason, because API Gateway
// cannot set them in a WebSocket close frame.
type Closing struct {
	Code   string `json:"code"`
	Reason string `json:"reason"`
	// Reconnect reports whether the client may reconnect at once with the same token.
	Reconnect bool `json:"reconnect"`
}

// Type returns [TypeClosing].
func (Closing) Type() Type { return TypeClosing }

// Validate returns nil, because the server makes the frame.
func (Closing) Validate() error { return nil }

// Dismissed informs all tabs of a user that one of them dismissed a note.
type Dismissed struct {
	// ID is the id of the note.
	ID string `json:"id"`
}

// Type returns [TypeDismissed].
func (Dismissed) Type() Type { return TypeDismissed }

// Validate returns nil, because the server makes the frame.
func (Dismissed) Validate() error { return nil }
