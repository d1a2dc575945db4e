package awswire_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/awswire"
)

func TestNewUUID(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 100 {
		id := awswire.NewUUID()
		if seen[id] || !pattern.MatchString(id) {
			t.Errorf("%s is no new UUID of version 4", id)
		}
		seen[id] = true
	}
}

func TestWriteError(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	awswire.WriteError(w, "application/json", http.StatusNotFound, "NoSuchThing", map[string]string{"Message": "<no>"})
	want := []string{"NoSuchThing", "application/json", `{"Message":"\u003cno\u003e"}`}
	got := []string{w.Header().Get("X-Amzn-Errortype"), w.Header().Get("Content-Type"), w.Body.String()}
	if diff := cmp.Diff(want, got); diff != "" || w.Code != http.StatusNotFound {
		t.Errorf("status %d (-want +got):\n%s", w.Code, diff)
	}
}

// Close cancels the work and waits for it, no longer than it may; nothing starts afterwards.
func TestWork(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		work, begin := awswire.NewWork(), time.Now()
		started := work.Start(func(ctx context.Context) {
			<-ctx.Done()
			time.Sleep(time.Minute)
		})
		if !started {
			t.Error("open work does not start")
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := work.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v, want its deadline", err)
		}
		if work.Start(func(context.Context) { t.Error("closed work runs") }) {
			t.Error("closed work starts")
		}
		if err := work.Close(t.Context()); err != nil || time.Since(begin) != time.Minute {
			t.Errorf("Close: %v after %v, want 1m", err, time.Since(begin))
		}
	})
}
