package dynamo_test

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/dynamo"
	"github.com/herald-progress/herald/lib/feed/feedtest"
)

// TestDeleteWhoseResponseIsLostCountsAsADelete lets requests of DeleteIfUnchanged fail. The process that has deleted the item must
// learn it, because no other process finds the session and closes the connection.
func TestDeleteWhoseResponseIsLostCountsAsADelete(t *testing.T) {
	for name, variable := range endpoints {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, client := newWireClient(t, variable, nil)
			store := &dynamo.Connections{Client: client, Table: "connections_" + rand.Text()}
			if err := dynamo.CreateConnections(t.Context(), store.Client, store.Table); err != nil {
				t.Fatal(err)
			}
			for what, tt := range map[string]struct {
				faults    []feedtest.Fault // of the first requests
				refreshed bool             // before the deletion
				want      bool             // DeleteIfUnchanged returns true, and the connection is gone
				err       error
			}{
				"the response is lost": {faults: []feedtest.Fault{feedtest.Applied}, want: true},
				"the request is lost":  {faults: []feedtest.Fault{feedtest.NotApplied}, want: true},
				"the request is lost, then the connection is refreshed": {faults: []feedtest.Fault{feedtest.NotApplied}, refreshed: true},
				"all requests are lost": {
					faults: []feedtest.Fault{feedtest.NotApplied, feedtest.NotApplied, feedtest.NotApplied}, err: feedtest.ErrInjected,
				},
			} {
				if tt.refreshed && name == "dynalite" {
					continue // dynalite does not return the item for which the condition fails.
				}
				t.Run(what, func(t *testing.T) {
					at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
					c := connection.Connection{ID: t.Name(), UserID: "u1", ConnectedAt: at, TokenExpiresAt: at.Add(time.Hour)}
					if err := store.Put(t.Context(), c); err != nil {
						t.Fatal(err)
					}
					faultsLeft := tt.faults
					w.setFault(func(operation string) feedtest.Fault {
						if operation != "DeleteItem" || len(faultsLeft) == 0 {
							return feedtest.NoFault
						}
						next := faultsLeft[0]
						faultsLeft = faultsLeft[1:]
						return next
					})
					if tt.refreshed {
						later := c
						later.TokenExpiresAt = c.TokenExpiresAt.Add(time.Hour)
						if err := store.Put(t.Context(), later); err != nil {
							t.Fatal(err)
						}
					}
					deleted, err := store.DeleteIfUnchanged(t.Context(), c)
					if deleted != tt.want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
						t.Errorf("deleted %v, %v; want %v, %v", deleted, err, tt.want, tt.err)
					}
					if _, err := store.Get(t.Context(), c.ID); errors.Is(err, connection.ErrNotFound) != tt.want {
						t.Errorf("then Get: %v", err)
					}
				})
			}
		})
	}
}
