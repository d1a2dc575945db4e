package session

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/connection"
	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// endlessFeed is a feed with more jobs than any sync reads.
type endlessFeed struct {
	*feed.Memory

	// expired says that all jobs have expired, so that their pages have no rows.
	expired bool
	// pages is how many pages were read.
	pages int
}

func (f *endlessFeed) JobsAfter(_ context.Context, _, after string, limit int) (feed.JobPage, error) {
	f.pages++
	first, _ := strconv.Atoi(after)
	var page feed.JobPage
	for n := first + 1; n <= first+limit; n++ {
		page.Next = fmt.Sprintf("%07d", n)
		if !f.expired {
			row := feed.Row{Seq: 1, State: message.UploadProgress{UploadID: page.Next}, UpdatedAt: time.UnixMilli(int64(n))}
			page.Rows = append(page.Rows, row)
		}
	}

	return page, nil
}

// TestSyncReadsALimitedNumberOfPages checks that a sync reads maxPages pages, or fewer if the user has fewer posts left. Of the jobs
// in these pages it holds the newest ones. The next sync continues after these pages, also if all their jobs have expired.
func TestSyncReadsALimitedNumberOfPages(t *testing.T) {
	for name, tt := range map[string]struct {
		expired bool
		posts   int // how many posts the user has left
		pages   int
	}{
		"not expired": {false, 100, maxPages}, "expired": {true, 100, maxPages}, "posts for 7": {true, 7, 7}, "a post": {false, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := &endlessFeed{Memory: &feed.Memory{}, expired: tt.expired}
			store := &connection.Memory{}
			h := &Default{Feed: f, Connections: store}
			if _, err := store.Spend(t.Context(), "u1", "c1", h.Limits.Budget()-tt.posts, h.Limits.Budget(), time.Now()); err != nil {
				t.Fatal(err)
			}
			resp := &responder{now: time.Now, connection: connection.Connection{ID: "c1", UserID: "u1"}}
			cost, err := h.chargeMinimum(t.Context(), slog.New(slog.DiscardHandler), resp, 1)
			if err != nil {
				t.Fatal(err)
			}
			found, err := h.readJobs(t.Context(), "user/u1", syncAction{}, cost, time.Now().Add(time.Hour))
			if err != nil || found.pages != tt.pages || f.pages != tt.pages || cost.paid < tt.pages {
				t.Errorf("%d pages are read, %d are paid, want %d, %v", f.pages, cost.paid, tt.pages, err)
			}
			if cost.budgetExhausted != (tt.posts < maxPages) {
				t.Errorf("the budget is exhausted: %v", cost.budgetExhausted)
			}
			want := fmt.Sprintf("%07d", tt.pages*pageSize)
			if found.stoppedAt != want {
				t.Errorf("it stopped at %s, want %s", found.stoppedAt, want)
			}
			if !tt.expired && (len(found.rows) != maxStates || !found.truncated || found.rows[0].State.UploadID != want) {
				t.Errorf("%d rows are kept, left %v; want the newest %d", len(found.rows), found.truncated, maxStates)
			}
		})
	}
}
