// Package connectiontest tests a store of connections against the contract in package connection. Tests may share a store, because
// each test uses ids that begin with its name. An index may be behind the table. So eventuallyByUser, eventuallyEnded and
// eventuallyFindsAll read an index again and again until it has caught up.
package connectiontest

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/connection"
)

const (
	// maxIndexLag is how long ByUser and EndedSessions may be behind a change.
	maxIndexLag = 5 * time.Second
	// manyConnections is the number of connections in manyConnectionsOfAUser. They do not fit one page of DynamoDB, which has 1 MB.
	manyConnections = 12_000
)

// Connections is everything that a store of connections does.
type Connections interface {
	connection.Store
	connection.Sessions
	connection.Usage
}

// BatchPutter is a store that can store many new connections faster than by Put. Run uses it if the store implements it.
type BatchPutter interface {
	// PutAll stores connections as Put does.
	PutAll(ctx context.Context, connections []connection.Connection) error
}

// Run tests a store. Each test calls open for its store. The stores of several tests may share a table.
func Run(t *testing.T, open func(t *testing.T) Connections) {
	t.Helper()
	for _, tt := range []struct {
		name string
		test func(*testing.T, Connections)
	}{
		{"Get and ByUser return what Put stored", roundTrip},
		{"Get of an absent connection is ErrNotFound", getAbsent},
		{"deleting twice is not an error", deleteTwice},
		{"Put replaces a connection, even of another user", putReplaces},
		{"ByUser yields only the user's own connections", byUserIsSeparate},
		{"ByUser may be read again", byUserRestarts},
		{"concurrent puts and deletes lose nothing", concurrentPutsAndDeletes},
		{"unusual ids and users are stored unchanged", unusualIDs},
		{"Refresh prolongs and never shortens", refreshProlongs},
		{"Refresh changes only the user's own connection", refreshNotOwned},
		{"Refresh never stores a deleted connection again", refreshDeleted},
		{"concurrent refreshes store the latest expiry", concurrentRefreshes},
		{"EndedSessions finds the last ten minutes", endedSessions},
		{"EndedSessions yields a refreshed session at its new end", endedSessionsAfterRefresh},
		{"EndedSessions may be read again", endedSessionsRestarts},
		{"one of several deletions succeeds", deleteOnce},
		{"a changed connection is not deleted", deleteChanged},
		{"a deletion and a refresh do not both succeed", deleteAgainstRefresh},
		{"an eviction ends the session", evictEndsSession},
		{"a connection evicted before Put is never stored", evictBeforePut},
		{"concurrent spends get exactly the limit", concurrentSpends},
		{"costs count per minute and user", spendPerMinute},
		{"concurrent connects see each other and share the limit", concurrentConnects},
		{"Connect returns when connections were last seen", connectLastSeen},
		{"RemoveFromUser removes each connection once", removeFromUser},
		{"refusals count per minute and connection", countRefusals},
		{"usage is not read as connections", usageIsSeparate},

		// The last one: emulators are slow when they store many connections.
		{"a user may have 12,000 connections", manyConnectionsOfAUser},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func roundTrip(t *testing.T, s Connections) {
	want := newConnection(t, 1)
	put(t, s, want)
	got, err := s.Get(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Get (-want +got):\n%s", diff)
	}
	eventuallyByUser(t, s, want.UserID, want)
}

func getAbsent(t *testing.T, s Connections) {
	if _, err := s.Get(t.Context(), t.Name()); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("Get of an absent connection: %v, want ErrNotFound", err)
	}
	eventuallyByUser(t, s, t.Name())
}

func deleteTwice(t *testing.T, s Connections) {
	c := newConnection(t, 1)
	put(t, s, c)
	for range 2 {
		if err := s.Delete(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Get(t.Context(), c.ID); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("Get after Delete: %v, want ErrNotFound", err)
	}
	eventuallyByUser(t, s, c.UserID)
}

func putReplaces(t *testing.T, s Connections) {
	before, after := newConnection(t, 1), newConnection(t, 1)
	after.UserID += otherSuffix
	after.TokenExpiresAt = after.TokenExpiresAt.Add(time.Hour)
	put(t, s, before)
	put(t, s, after)
	eventuallyByUser(t, s, before.UserID)
	eventuallyByUser(t, s, after.UserID, after)
}

func byUserIsSeparate(t *testing.T, s Connections) {
	first, second, other := newConnection(t, 1), newConnection(t, 2), newConnection(t, 3)
	other.UserID += otherSuffix
	put(t, s, first, second, other)
	eventuallyByUser(t, s, first.UserID, first, second)
	eventuallyByUser(t, s, other.UserID, other)
}

func byUserRestarts(t *testing.T, s Connections) {
	a, b := newConnection(t, 1), newConnection(t, 2)
	put(t, s, a, b)
	eventuallyByUser(t, s, a.UserID, a, b)
	sequence, n := s.ByUser(t.Context(), a.UserID), 0
	for _, err := range sequence {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	for _, err := range sequence {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d connections in the second iteration, want 2", n)
	}
}

func manyConnectionsOfAUser(t *testing.T, s Connections) {
	if testing.Short() {
		t.Skip("storing 12,000 connections takes long")
	}
	connections := newConnections(t, manyConnections) // Their sessions end in the same minute.
	if batches, ok := s.(BatchPutter); !ok {
		put(t, s, connections...)
	} else if err := batches.PutAll(t.Context(), connections); err != nil {
		t.Fatal(err)
	}
	eventuallyFindsAll(t, "ByUser", func() iter.Seq2[connection.Connection, error] { return s.ByUser(t.Context(), t.Name()) })
	end := connections[0].SessionEnd().Truncate(time.Minute).Add(time.Minute)
	eventuallyFindsAll(t, "EndedSessions", func() iter.Seq2[connection.Connection, error] { return s.EndedSessions(t.Context(), end) })
}

// eventuallyFindsAll fails unless read yields all of the many connections within maxIndexLag.
func eventuallyFindsAll(t *testing.T, name string, read func() iter.Seq2[connection.Connection, error]) {
	t.Helper()
	deadline := time.Now().Add(maxIndexLag)
	for {
		seen := map[string]bool{}
		for c, err := range read() {
			if err != nil {
				t.Fatal(err)
			}
			if c.UserID == t.Name() {
				seen[c.ID] = true
			}
		}
		if len(seen) == manyConnections {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s yields %d connections, want %d", name, len(seen), manyConnections)
		}
	}
}

// concurrentPutsAndDeletes lets 8 workers put 10 connections each, and delete every second one.
func concurrentPutsAndDeletes(t *testing.T, s Connections) {
	const workers, each = 8, 10
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for n := range each {
				c := newConnection(t, w*each+n)
				if err := s.Put(t.Context(), c); err != nil {
					t.Errorf("put: %v", err)
				}
				if n%2 == 1 {
					if err := s.Delete(t.Context(), c.ID); err != nil {
						t.Errorf("delete: %v", err)
					}
				}
			}
		})
	}
	all.Wait()
	var want []connection.Connection
	for n := 0; n < workers*each; n += 2 {
		want = append(want, newConnection(t, n))
	}
	eventuallyByUser(t, s, t.Name(), want...)
}

func unusualIDs(t *testing.T, s Connections) {
	c := newConnection(t, 1)
	c.ID += "=+/\u00e9"
	c.UserID = "auth0|" + t.Name() + "/#\u20ac"
	put(t, s, c)
	eventuallyByUser(t, s, c.UserID, c)
}

// newConnection returns the test's connection number n. Its token expires after an hour.
func newConnection(t *testing.T, n int) connection.Connection {
	t.Helper()
	at := time.Date(2026, 11, 22, 10, 0, n%60, 123e6, time.UTC)
	return connection.Connection{
		ID: fmt.Sprintf("%s-%05d=", t.Name(), n), UserID: t.Name(), ConnectedAt: at,
		TokenExpiresAt: at.Add(time.Hour).Truncate(time.Second),
	}
}

// newConnections returns n connections with the same times. dynalite 4.0.0 identifies the items of an index by the first 24 bits of a
// hash, and loses one of two connections with the same 24 bits. So newConnections skips ids whose 24 bits are used.
func newConnections(t *testing.T, n int) []connection.Connection {
	t.Helper()
	connections, used := make([]connection.Connection, 0, n), map[[3]byte]bool{}
	for i := 0; len(connections) < n; i++ {
		c := newConnection(t, i)
		c.ConnectedAt, c.TokenExpiresAt = testDay(t), testDay(t).Add(time.Hour)
		sum := md5.Sum([]byte("Outliers" + c.ID)) // dynalite's hash
		if prefix := [3]byte(sum[:3]); !used[prefix] {
			used[prefix] = true
			connections = append(connections, c)
		}
	}
	return connections
}

// put stores connections.
func put(t *testing.T, s Connections, connections ...connection.Connection) {
	t.Helper()
	for _, c := range connections {
		if err := s.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// eventuallyByUser fails unless ByUser yields exactly the wanted connections within maxIndexLag.
func eventuallyByUser(t *testing.T, s Connections, user string, want ...connection.Connection) {
	t.Helper()
	wanted := map[string]connection.Connection{}
	for _, c := range want {
		wanted[c.ID] = c
	}
	deadline := time.Now().Add(maxIndexLag)
	for {
		got, n := map[string]connection.Connection{}, 0
		for c, err := range s.ByUser(t.Context(), user) {
			if err != nil {
				t.Fatal(err)
			}
			got[c.ID] = c
			n++
		}
		if n == len(want) && maps.Equal(got, wanted) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("ByUser yields %v (%d connections), want %v", slices.Sorted(maps.Keys(got)), n, slices.Sorted(maps.Keys(wanted)))
		}
		time.Sleep(time.Millisecond)
	}
}
