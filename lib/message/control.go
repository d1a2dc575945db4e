package message

// Welcome is the first answer to a sync, unless the sync says that it wants none.
type Welcome struct {
	ConnectionID string `json:"connectionId"`
	ServerTime   Time   `json:"serverTime"`
	// SessionEnd is when the connection will be closed, unless it is refreshed.
	SessionEnd Time `json:"sessionEnd"`
}

// Type returns [TypeWelcome].
func (Welcome) Type() Type { return TypeWelcome }

// Validate returns nil: the server makes the frame itself.
func (Welcome) Validate() error { return nil }

// Synced is the last answer to a sync.
type Synced struct {
	// Jobs and Notes are how many frames of each went before.
	Jobs  int `json:"jobs"`
	Notes int `json:"notes"`
	// More says that jobs or notes are left: sync again, with Cursor and since the newest note that came.
	More bool `json:"more,omitempty"`
	// Cursor is where the next sync goes on. Only the server reads it; empty means that no job is left, nor a note before the
	// first since.
	Cursor string `json:"cursor,omitempty"`
	// RetryAfter is how many seconds to wait before the next sync; 0 is none. It comes where the requests of a user have
	// caused too many posts in this minute.
	RetryAfter int `json:"retryAfter,omitempty"`
}

// Type returns [TypeSynced].
func (Synced) Type() Type { return TypeSynced }

// Validate returns nil: the server makes the frame itself.
func (Synced) Validate() error { return nil }

// Refreshed is the answer to a refresh whose token was accepted.
type Refreshed struct {
	// SessionEnd is when the connection will be closed now.
	SessionEnd Time `json:"sessionEnd"`
}

// Type returns [TypeRefreshed].
func (Refreshed) Type() Type { return TypeRefreshed }

// Validate returns nil: the server makes the frame itself.
func (Refreshed) Validate() error { return nil }

// The codes of [Closing].
const (
	// CloseTokenExpired says that the token is over: connect again with another.
	CloseTokenExpired = "TOKEN_EXPIRED"
	// CloseSessionLimit says that the connection is nearly as old as API Gateway lets it become.
	CloseSessionLimit = "SESSION_LIMIT"
	// CloseRateLimited says that the browser went on asking after it was told that it asks too much.
	CloseRateLimited = "RATE_LIMITED"
	// CloseUnknownConnection says that the connection is not known any more, so that nothing would reach it.
	CloseUnknownConnection = "UNKNOWN_CONNECTION"
	// CloseConnectionLimit says that the user has opened more connections than one may have. This one was closed because it
	// was idle for the longest time.
	CloseConnectionLimit = "CONNECTION_LIMIT"
)

// Closing goes before every close that the server makes: API Gateway can give a close neither code nor reason.
type Closing struct {
	Code   string `json:"code"`
	Reason string `json:"reason"`
	// Reconnect says that the browser may connect again at once with the token that it has.
	Reconnect bool `json:"reconnect"`
}

// Type returns [TypeClosing].
func (Closing) Type() Type { return TypeClosing }

// Validate returns nil: the server makes the frame itself.
func (Closing) Validate() error { return nil }

// Dismissed tells the tabs of a user that one of them has dismissed a note.
type Dismissed struct {
	// ID is the note's.
	ID string `json:"id"`
}

// Type returns [TypeDismissed].
func (Dismissed) Type() Type { return TypeDismissed }

// Validate returns nil: the server makes the frame itself.
func (Dismissed) Validate() error { return nil }
