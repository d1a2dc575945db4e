package watch

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
)

func TestLinesPrintPhasesEndsAndNotes(t *testing.T) {
	var out, errs strings.Builder
	l := &lines{out: &out, errs: &errs, failed: func(err error) { t.Error(err) }}
	// say reports a state of the job u-1 to l.
	say := func(phase string, progress float64, status message.Status, text string) {
		l.frame(stateFrame(0, message.UploadProgress{
			UploadID: "u-1", FileName: "a\x1b.csv", Phase: phase, Progress: progress, Status: status, Message: text, CurrentRow: 1000, TotalRows: 2000,
		}))
	}
	// history is a note from before the first sync, which is not printed.
	history := noteFrame("01A", message.Notification{Title: "History", Severity: message.SeverityInfo})
	history.Replayed = true
	l.connection(connection{state: catchingUp})
	l.frame(history)
	say("", 0, "", "Reading")
	l.connection(connection{state: live})
	say("parse", 5, "", "Importing")
	say("parse", 50, "", "Importing")
	l.connection(connection{state: offline, reason: "the connection was lost"})
	l.connection(connection{state: offline, reason: "the connection was lost"})
	l.connection(connection{state: live})
	say("finish", 95, "", "Saving")
	l.frame(noteFrame("01B", message.Notification{Title: "Imported", Message: "All\nrows", Severity: message.SeveritySuccess}))
	say("finish", 100, message.StatusSucceeded, "Imported 2000 rows")
	l.frame(noteFrame("01C", message.Error{Message: "Failed"}))
	l.frame(noteFrame("", message.Error{Message: "an answer to this client"}))
	want := `a�.csv    0.0 %  Reading  (1,000 of 2,000 rows)
a�.csv    5.0 %  Importing  (1,000 of 2,000 rows)
a�.csv   95.0 %  Saving  (1,000 of 2,000 rows)
success: Imported. All rows
a�.csv  succeeded  100.0 %  Imported 2000 rows
error: Failed
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	want = "watch: catching up\nwatch: live\nwatch: offline: the connection was lost\nwatch: live\n"
	if diff := cmp.Diff(want, errs.String()); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	l.ascii = true
	out.Reset()
	say("", 0, message.StatusFailed, "Größe")
	if got := out.String(); got != "a?.csv  failed    0.0 %  Gr??e\n" {
		t.Errorf("in ASCII it prints %q", got)
	}
	if len(l.stages) != 0 {
		t.Errorf("%d ended jobs are stored", len(l.stages))
	}
}

func TestLinesPrintEachStatusAndTryOfAnyJob(t *testing.T) {
	var out strings.Builder
	l := &lines{out: &out, errs: io.Discard, failed: func(err error) { t.Error(err) }}
	say := func(p message.UploadProgress) {
		p.UploadID, p.FileName = "r-7", "Report"
		l.frame(jobFrame(0, p))
	}
	for _, p := range []message.UploadProgress{
		{Status: message.StatusQueued, Message: "Accepted"},
		{Message: "Rendering", Progress: 10},
		{Status: message.StatusRunning, Message: "Rendering", Progress: 20},
		{Status: message.StatusRetrying, Attempt: 2, Of: 3, Message: "Disk is full", Progress: 20},
		{Status: message.StatusRetrying, Attempt: 2, Of: 3, Message: "Disk is full", Progress: 21},
		{Status: message.StatusRetrying, Attempt: 3, Of: 3, Message: "Disk is full", Progress: 21},
		{Status: message.StatusStalled, Message: "Rendering", Progress: 30, ExpectEvery: 5},
		{Attempt: 3, Message: "Rendering", Progress: 30},
		{Status: message.StatusFailed, Attempt: 3, Message: "No data", Progress: 30},
		{Attempt: 4, Message: "Rendering", Progress: 30},
		{Status: message.StatusSucceeded, Message: "12 pages", Progress: 100, Result: "results/dTE/report.pdf"},
	} {
		say(p)
	}
	want := `Report    0.0 %  Waiting to start: Accepted
Report   10.0 %  Rendering
Report   20.0 %  Retrying, attempt 2 of 3: Disk is full
Report   21.0 %  Retrying, attempt 3 of 3: Disk is full
Report   30.0 %  Stalled: no news for 5 s: Rendering
Report   30.0 %  Rendering  (attempt 3)
Report  failed   30.0 %  No data
Report   30.0 %  Rendering  (attempt 4)
Report  succeeded  100.0 %  12 pages  result: results/dTE/report.pdf
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// brokenPipe is an output that nobody reads any more.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestLinesEndWithTheirOutput(t *testing.T) {
	failures := 0
	l := &lines{out: brokenPipe{}, errs: brokenPipe{}, failed: func(error) { failures++ }}
	for range 3 {
		l.frame(threeJobs[2])
	}
	if failures != 1 || l.err == nil || l.err.Error() != "print: broken pipe" {
		t.Errorf("%d failures are reported, the error is %v", failures, l.err)
	}
}
