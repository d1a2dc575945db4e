package client

import (
	"bytes"
	gocmp "cmp"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
)

// frames sends a frame, or many, and checks whether the application sees each.
func (f *ruleFixture) frames(s ruleStep) bool {
	f.t.Helper()
	text := gocmp.Or(string(s.Frame), s.Text)
	if e, err := message.Parse([]byte(text)); err == nil && s.Shown == nil {
		if _, isState := message.AsUploadProgress(e.Data); isState || message.IsNote(e.Data) {
			f.t.Errorf("%s: say whether it is shown", text)
		}
	}
	ok := true
	for n := 1; n <= max(1, s.Times); n++ {
		if slices.Contains(s.Except, n) {
			continue
		}
		frame := []byte(strings.ReplaceAll(text, "{n}", fmt.Sprintf("%06d", n)))
		f.change(func() { f.shown = nil })
		f.socket.post(frame)
		synctest.Wait()
		f.mu.Lock()
		all := f.shown
		f.mu.Unlock()
		if s.Shows != nil && !f.shows(s, frame, all) {
			ok = false
		}
		shown := slices.ContainsFunc(all, func(raw []byte) bool { return bytes.Equal(raw, frame) })
		if s.Shown != nil && shown != *s.Shown {
			f.t.Errorf("%s: shown is %t", frame, shown)
			ok = false
		}
	}

	return ok
}

// shows reports whether the application saw those frames of a batch that the step says, in their order.
func (f *ruleFixture) shows(s ruleStep, frame []byte, shown [][]byte) bool {
	f.t.Helper()
	e, err := message.Parse(frame)
	batch, ok := e.Data.(message.Batch)
	if err != nil || !ok || len(batch.Frames) != len(s.Shows) {
		f.t.Fatalf("%s: shows has %d values (%v)", frame, len(s.Shows), err)
	}
	var want, got []string
	for i, raw := range batch.Frames {
		if s.Shows[i] {
			want = append(want, string(raw))
		}
	}
	for _, raw := range shown {
		got = append(got, string(raw))
	}
	diff := cmp.Diff(want, got)
	if diff != "" {
		f.t.Errorf("shown (-want +got):\n%s", diff)
	}
	return diff == ""
}
