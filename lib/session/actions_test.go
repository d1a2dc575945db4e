package session

import (
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/message"
)

// TestTheProtocolListsEachAction: the protocol's table of messages has a row for each action, and one for ping, which API
// Gateway answers.
func TestTheProtocolListsEachAction(t *testing.T) {
	protocol, err := os.ReadFile("../web/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `\\{\"action\":\"(\\w+)\"").FindAllSubmatch(protocol, -1) {
		listed = append(listed, string(row[1]))
	}
	slices.Sort(listed)
	want := slices.Sorted(maps.Keys(actions))
	want = append(want, "ping")
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Compact(listed)); diff != "" {
		t.Errorf("actions in lib/web/PROTOCOL.md (-want +got):\n%s", diff)
	}
}

// FuzzDecode checks that an accepted message satisfies every rule, and that a rejected one has an error for the browser.
func FuzzDecode(f *testing.F) {
	f.Add(`{"action":"sync","have":{"j1":["2026-11-22T10:00:00.000Z#0000",3],"j2":["",0]},"since":"01M82K5N32CPWX658G1ZTM36HQ"}`, false)
	f.Add(`{"action":"sync","cursor":"eyJhIjoiajEifQ","welcome":false}`, false)
	f.Add(`{"action":"sync","since":"00000000000000000000000001"}`, false)
	f.Add(`{"action":"dismiss","id":"01m82k5n32cpwx658g1ztm36hq"}`, false)
	f.Add(`{"action":"refresh","token":"x"}`, false)
	f.Add(`{"action":"refresh","token":null}`, false)
	f.Add(`{"action":"upload","request":"r","fileName":"a.csv","size":1,"contentType":"text/csv"}`, false)
	f.Add(`{"action":"upload_complete","request":"r","uploadId":"01m82k5n32cpwx658g1ztm36hq"}`, false)
	f.Add(`{"action":"download","request":"r","job":"j1"}`, false)
	f.Add(`eyJhY3Rpb24iOiJzeW5jIn0=`, true)
	f.Fuzz(func(t *testing.T, body string, encoded bool) {
		action, request, err := decodeAction(&Request{Body: body, IsBase64Encoded: encoded})
		if request != "" && !message.ValidID(request, message.MaxRequest) {
			t.Errorf("request %q", request)
		}
		var bad *message.Invalid
		switch {
		case errors.As(err, &bad), errors.Is(err, errNoAction), errors.Is(err, errUnknownAction):
			if err := (message.Error{Code: CodeInvalidMessage, Message: err.Error()}).Validate(); err != nil {
				t.Errorf("the answer cannot be sent: %v", err)
			}
			return
		case err != nil:
			t.Fatalf("an error that is not answered: %v", err)
		}
		switch a := action.(type) {
		case syncAction:
			checkSync(t, a)
		case dismissAction:
			if id, err := ulid.ParseStrict(a.note); err != nil || id.String() != a.note {
				t.Errorf("note %q: %v", a.note, err)
			}
		case openUploadAction:
			if a.request != request || a.file.Validate() != nil {
				t.Errorf("accepted %+v with the request %q", a, request)
			}
		case uploadStepAction:
			if id, err := ulid.ParseStrict(a.id); err != nil || id.String() != a.id || request == "" {
				t.Errorf("upload %q with the request %q: %v", a.id, request, err)
			}
		case downloadAction:
			if !message.ValidID(a.job, message.MaxID) || request == "" {
				t.Errorf("download of %q with the request %q", a.job, request)
			}
		case nil, invalidAction:
			t.Errorf("decoded as %T without an error", action)
		}
	})
}

// FuzzCursor checks that an accepted cursor encodes to the same text and names no invalid job id.
func FuzzCursor(f *testing.F) {
	f.Add(cursor{After: "j1", Until: "j2", Sent: &rank{Ended: true, Updated: 1, Job: "j3"}}.String())
	f.Add(cursor{}.String())
	f.Add(cursor{Since: "01JCXM4Z0000000000000000A1"}.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := decodeCursor(text)
		if err != nil {
			return
		}
		if again, err := decodeCursor(c.String()); err != nil || again.String() != c.String() || len(c.String()) > message.MaxCursor {
			t.Errorf("%+v is decoded as %+v: %v", c, again, err)
		}
		if len(c.After) > message.MaxID || len(c.Until) > message.MaxID || c.Sent != nil && len(c.Sent.Job) > message.MaxID {
			t.Errorf("accepted %+v", c)
		}
	})
}

func checkSync(t *testing.T, a syncAction) {
	t.Helper()
	if len(a.have) > message.MaxHave {
		t.Errorf("%d jobs", len(a.have))
	}
	for job, at := range a.have {
		if job == "" || len(job) > message.MaxID || at.seq < 0 {
			t.Errorf("job %q at %+v", job, at)
		}
		if normal, err := message.NormalizeEpoch(at.epoch); at.epoch != "" && (err != nil || normal != at.epoch) {
			t.Errorf("epoch %q: %v", at.epoch, err)
		}
	}
	if again, err := decodeCursor(a.cursor.String()); err != nil || again.String() != a.cursor.String() {
		t.Errorf("cursor %+v is decoded as %+v: %v", a.cursor, again, err)
	}
	if (a.since == "") != (a.overlapStart == "") {
		t.Errorf("since %q, but after %q", a.since, a.overlapStart)
	}
	if a.since == "" {
		return
	}
	overlap := uint64(feed.NoteOverlap.Milliseconds())
	since, err := ulid.ParseStrict(a.since)
	if err != nil || since.String() != a.since {
		t.Fatalf("since %q: %v", a.since, err)
	}
	start, err := ulid.ParseStrict(a.overlapStart)
	if err != nil || a.overlapStart > a.since || since.Time() >= overlap && since.Time()-start.Time() != overlap {
		t.Errorf("notes since %s are sent again after %s: %v", a.since, a.overlapStart, err)
	}
}
