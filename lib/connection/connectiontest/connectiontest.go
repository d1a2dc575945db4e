// Package connectiontest is the contract that every store of connections keeps.
package connectiontest

import (
	"crypto/md5" //nolint:gosec // see distinct
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

// indexLag is how long ByUser may lag behind a Put or a Delete.
const indexLag = 5 * time.Second

// pages is more rows than DynamoDB returns in one page of 1 MB.
const pages = 12_000

// Connections is all that a store of connections does.
type Connections interface {
	connection.Store
	connection.Sessions
	connection.Users
}

// Run tests a store. open returns one that may hold rows of other tests: every test uses ids of its own.
func Run(t *testing.T, open func(t *testing.T) Connections) {
	t.Helper()
	for _, tt := range []struct {
		name string
		test func(*testing.T, Connections)
	}{
		{"a row comes back as it was put", roundTrip},
		{"an absent row is ErrNotFound", absent},
		{"deleting twice is fine", deleteTwice},
		{"put replaces, also the user", replace},
		{"users see their own rows only", separate},
		{"an iteration may start anew", stopEarly},
		{"concurrent use loses nothing", concurrent},
		{"odd ids and users are kept verbatim", verbatim},
		{"refresh prolongs, and never shortens", refreshProlongs},
		{"refresh finds no row but the user's own", refreshOthers},
		{"refresh never makes a deleted row again", refreshDeleted},
		{"of racing refreshes the latest stays", refreshRace},
		{"ended finds the last ten minutes", ended},
		{"ended follows a refresh", endedMoves},
		{"ended may be left, and read anew", endedStops},
		{"of several deletions one wins", deleteOnce},
		{"a deletion loses against what came before", deleteLoses},
		{"a deletion and a refresh do not both win", deleteAgainstRefresh},
		{"an evicted session has ended", evict},
		{"what is evicted first is never stored", evictAbsent},
		{"no more is granted than the limit", spendExactly},
		{"costs are of the minute and of the user", spendWindows},
		{"who connects sees all who have", enterExactly},
		{"who connects sees when the others were heard", enterRemembers},
		{"what is forgotten is forgotten", forget},
		{"refusals are of the minute and of the connection", refuse},
		{"what is counted is in no reading of the rows", countApart},

		// The last, as emulators are slow when they have many rows.
		{"one user may have 12,000 rows", many},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func roundTrip(t *testing.T, s Connections) {
	want := sample(t, 1)
	put(t, s, want)
	got, err := s.Get(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Get (-want +got):\n%s", diff)
	}
	eventually(t, s, want.UserID, want)
}

func absent(t *testing.T, s Connections) {
	if _, err := s.Get(t.Context(), t.Name()); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("Get of an absent row: %v, want ErrNotFound", err)
	}
	eventually(t, s, t.Name())
}

func deleteTwice(t *testing.T, s Connections) {
	c := sample(t, 1)
	put(t, s, c)
	for range 2 {
		if err := s.Delete(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Get(t.Context(), c.ID); !errors.Is(err, connection.ErrNotFound) {
		t.Errorf("Get after Delete: %v, want ErrNotFound", err)
	}
	eventually(t, s, c.UserID)
}

func replace(t *testing.T, s Connections) {
	before, after := sample(t, 1), sample(t, 1)
	after.UserID += another
	after.TokenExpiresAt = after.TokenExpiresAt.Add(time.Hour)
	put(t, s, before)
	put(t, s, after)
	eventually(t, s, before.UserID)
	eventually(t, s, after.UserID, after)
}

func separate(t *testing.T, s Connections) {
	mine, also, theirs := sample(t, 1), sample(t, 2), sample(t, 3)
	theirs.UserID += another
	put(t, s, mine, also, theirs)
	eventually(t, s, mine.UserID, mine, also)
	eventually(t, s, theirs.UserID, theirs)
}

func stopEarly(t *testing.T, s Connections) {
	a, b := sample(t, 1), sample(t, 2)
	put(t, s, a, b)
	eventually(t, s, a.UserID, a, b)
	rows, n := s.ByUser(t.Context(), a.UserID), 0
	for _, err := range rows {
		if err != nil {
			t.Fatal(err)
		}

		break
	}
	for _, err := range rows {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d rows when read anew, want 2", n)
	}
}

func many(t *testing.T, s Connections) {
	if testing.Short() {
		t.Skip("12,000 rows take a while")
	}
	const writers = 16
	rows := distinct(t, pages) // which end in the same minute
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := w; n < pages; n += writers {
				if err := s.Put(t.Context(), rows[n]); err != nil {
					t.Errorf("put row %d: %v", n, err)

					return
				}
			}
		})
	}
	all.Wait()
	sees(t, "ByUser", func() iter.Seq2[connection.Connection, error] { return s.ByUser(t.Context(), t.Name()) })
	end := rows[0].End().Truncate(time.Minute).Add(time.Minute)
	sees(t, "Ended", func() iter.Seq2[connection.Connection, error] { return s.Ended(t.Context(), end) })
}

// sees fails unless a reading finds all of the many rows within the lag that the contract allows.
func sees(t *testing.T, name string, read func() iter.Seq2[connection.Connection, error]) {
	t.Helper()
	deadline := time.Now().Add(indexLag)
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
		if len(seen) == pages {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s yields %d rows, want %d", name, len(seen), pages)
		}
	}
}

func concurrent(t *testing.T, s Connections) {
	const workers, each = 8, 10
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for n := range each {
				c := sample(t, w*each+n)
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
		want = append(want, sample(t, n))
	}
	eventually(t, s, t.Name(), want...)
}

func verbatim(t *testing.T, s Connections) {
	c := sample(t, 1)
	c.ID += "=+/\u00e9"
	c.UserID = "auth0|" + t.Name() + "/#\u20ac"
	put(t, s, c)
	eventually(t, s, c.UserID, c)
}

func sample(t *testing.T, n int) connection.Connection {
	t.Helper()
	at := time.Date(2026, 11, 22, 10, 0, n%60, 123e6, time.UTC)

	return connection.Connection{
		ID: fmt.Sprintf("%s-%05d=", t.Name(), n), UserID: t.Name(), ConnectedAt: at,
		TokenExpiresAt: at.Add(time.Hour).Truncate(time.Second),
	}
}

// distinct returns n samples whose ids differ in the first 24 bits of a hash by which dynalite 4.0.0 keys the rows of an
// index: of two rows that agree there it loses one.
func distinct(t *testing.T, n int) []connection.Connection {
	t.Helper()
	rows, taken := make([]connection.Connection, 0, n), map[[3]byte]bool{}
	for i := 0; len(rows) < n; i++ {
		c := sample(t, i)
		c.ConnectedAt, c.TokenExpiresAt = day(t), day(t).Add(time.Hour)
		sum := md5.Sum([]byte("Outliers" + c.ID)) //nolint:gosec // see above, not for security
		if prefix := [3]byte(sum[:3]); !taken[prefix] {
			taken[prefix] = true
			rows = append(rows, c)
		}
	}

	return rows
}

func put(t *testing.T, s Connections, rows ...connection.Connection) {
	t.Helper()
	for _, c := range rows {
		if err := s.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// eventually fails unless ByUser yields just the wanted rows within the lag that the contract allows.
func eventually(t *testing.T, s Connections, user string, want ...connection.Connection) {
	t.Helper()
	wanted := map[string]connection.Connection{}
	for _, c := range want {
		wanted[c.ID] = c
	}
	deadline := time.Now().Add(indexLag)
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
			t.Fatalf("ByUser yields %v (%d rows), want %v", slices.Sorted(maps.Keys(got)), n, slices.Sorted(maps.Keys(wanted)))
		}
		time.Sleep(time.Millisecond)
	}
}
