package local

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/local/durable"
	"github.com/herald-progress/herald/lib/upload"
)

// What a folder of Config.StateDir has.
const (
	stateFile     = "state.db"
	objectsFolder = "objects"
)

// The tables of the feed and of uploads in the state.
const (
	tableFeed    = "feed"
	tableUploads = "uploads"
)

// expireEvery is after how many changes of the feed its expired rows are removed.
const expireEvery = 1000

// openState opens the state, if the configuration has one. The feed and the uploads are in it, unless the configuration has stores for them.
func (t *Twin) openState() error {
	if t.config.StateDir == "" {
		return nil
	}
	store, err := durable.Open(filepath.Join(t.config.StateDir, stateFile))
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	t.state = store
	if t.config.Feed == nil {
		if t.config.Feed, err = openFeed(store); err != nil {
			return fmt.Errorf("state: %w", err)
		}
	}
	if t.config.Uploads == nil {
		if t.config.Uploads, err = openUploads(store); err != nil {
			return fmt.Errorf("state: %w", err)
		}
	}
	return nil
}

// closeState closes the state. Close calls it when nothing uses it any more.
func (t *Twin) closeState() error {
	if t.state == nil {
		return nil
	}
	return t.state.Close()
}

// objectsDir returns the folder of the objects in the state, or "".
func (t *Twin) objectsDir() string {
	if t.config.StateDir == "" {
		return ""
	}
	return filepath.Join(t.config.StateDir, objectsFolder)
}

// closeStates ends the executions of a twin that could not be started.
func (t *Twin) closeStates(ctx context.Context) error {
	if t.states == nil {
		return nil
	}
	return t.states.Close(ctx)
}

// storedFeed is a feed in memory whose changes are stored before its methods return.
type storedFeed struct {
	*feed.Memory

	store   *durable.Store
	changes atomic.Int64
}

// openFeed returns the feed of a store.
func openFeed(store *durable.Store) (*storedFeed, error) {
	f := &storedFeed{Memory: &feed.Memory{}, store: store}
	err := store.Each(tableFeed, func(_ string, value []byte) error {
		var r feed.Record
		if err := durable.Decode(value, &r); err != nil {
			return err
		}
		return f.Restore(r)
	})
	f.Changed = func(key string, r *feed.Record) {
		if r == nil {
			store.Add(durable.Change{Table: tableFeed, Key: key})
			return
		}
		store.Add(durable.JSON(tableFeed, key, r))
	}
	f.RemoveExpired()
	return f, err
}

// flush waits until all changes are stored. It returns the first error.
func (f *storedFeed) flush(err error) error {
	if f.changes.Add(1)%expireEvery == 0 {
		f.RemoveExpired()
	}
	if flushErr := f.store.Flush(); err == nil {
		return flushErr
	}
	return err
}

// Apply applies an update and stores the row.
func (f *storedFeed) Apply(ctx context.Context, owner string, u feed.Update) (feed.Row, feed.Outcome, error) {
	row, outcome, err := f.Memory.Apply(ctx, owner, u)
	return row, outcome, f.flush(err)
}

// ClaimPush records a push and stores it.
func (f *storedFeed) ClaimPush(ctx context.Context, row feed.Row, at time.Time) (feed.Row, bool, error) {
	newest, claimed, err := f.Memory.ClaimPush(ctx, row, at)
	return newest, claimed, f.flush(err)
}

// Add stores a note.
func (f *storedFeed) Add(ctx context.Context, owner string, n feed.Note) (feed.Note, feed.Outcome, error) {
	note, outcome, err := f.Memory.Add(ctx, owner, n)
	return note, outcome, f.flush(err)
}

// Dismiss deletes a note.
func (f *storedFeed) Dismiss(ctx context.Context, owner, id string) (bool, error) {
	existed, err := f.Memory.Dismiss(ctx, owner, id)
	return existed, f.flush(err)
}

// DeletePointer deletes a pointer.
func (f *storedFeed) DeletePointer(ctx context.Context, p feed.Pointer) error {
	return f.flush(f.Memory.DeletePointer(ctx, p))
}

// storedUploads are uploads in memory whose changes are stored before the methods return.
type storedUploads struct {
	*upload.Memory

	store *durable.Store
}

// openUploads returns the uploads of a store, without those that have expired.
func openUploads(store *durable.Store) (*storedUploads, error) {
	u := &storedUploads{Memory: &upload.Memory{}, store: store}
	now := time.Now()
	var expired []durable.Change
	err := store.Each(tableUploads, func(key string, value []byte) error {
		var r upload.Record
		if err := durable.Decode(value, &r); err != nil {
			return err
		}
		if r.Expired(now) {
			expired = append(expired, durable.Change{Table: tableUploads, Key: key})
			return nil
		}
		u.Restore(r)
		return nil
	})
	store.Add(expired...)
	u.Changed = func(key string, r upload.Record) { store.Add(durable.JSON(tableUploads, key, r)) }
	return u, err
}

// flush waits until all changes are stored. It returns the first error.
func (u *storedUploads) flush(err error) error {
	if flushErr := u.store.Flush(); err == nil {
		return flushErr
	}
	return err
}

// Reserve gives a slot to an upload and stores it.
func (u *storedUploads) Reserve(ctx context.Context, userID string, s upload.Slot, at time.Time) (upload.Slot, error) {
	slot, err := u.Memory.Reserve(ctx, userID, s, at)
	return slot, u.flush(err)
}

// Put stores an upload.
func (u *storedUploads) Put(ctx context.Context, of upload.Upload) (upload.Upload, error) {
	stored, err := u.Memory.Put(ctx, of)
	return stored, u.flush(err)
}

// End records the outcome of an upload and stores it.
func (u *storedUploads) End(ctx context.Context, ended upload.Upload, o upload.Outcome, until time.Time) (upload.Outcome, error) {
	outcome, err := u.Memory.End(ctx, ended, o, until)
	return outcome, u.flush(err)
}
