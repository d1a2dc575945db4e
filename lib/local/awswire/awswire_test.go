package awswire_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/local/awswire"
)

func TestNewUUIDReturnsUniqueVersion4UUIDs(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 100 {
		id := awswire.NewUUID()
		if seen[id] || !pattern.MatchString(id) {
			t.Errorf("%s is not a new UUID of version 4", id)
		}
		seen[id] = true
	}
}

func TestWriteErrorSetsHeadersAndBody(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	awswire.WriteError(w, "application/json", http.StatusNotFound, "NoSuchThing", map[string]string{"Message": "<no>"})
	want := []string{"NoSuchThing", "application/json", `{"Message":"\u003cno\u003e"}`}
	got := []string{w.Header().Get("X-Amzn-Errortype"), w.Header().Get("Content-Type"), w.Body.String()}
	if diff := cmp.Diff(want, got); diff != "" || w.Code != http.StatusNotFound {
		t.Errorf("status %d (-want +got):\n%s", w.Code, diff)
	}
}
