package watch

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
)

// jobFrame returns the frame of a job that is not a file, which began the given number of minutes after noon.
func jobFrame(minute int, p message.UploadProgress) message.Envelope {
	e := stateFrame(minute, p)
	e.Data = message.AsType(message.TypeJobProgress, p)
	e.Type = e.Data.Type()
	return e
}

// anyJobs are jobs in each status, in the order of the screen.
var anyJobs = []message.Envelope{
	jobFrame(-1, message.UploadProgress{UploadID: "r-1", FileName: "Sales report", Progress: 60, Message: "Ada must approve", Status: message.StatusWaiting}),
	jobFrame(-2, message.UploadProgress{
		UploadID: "r-2", FileName: "Training", Progress: 35, Message: "Disk is full", Status: message.StatusRetrying, Attempt: 2, Of: 3, RowsPerSecond: 7,
	}),
	jobFrame(-3, message.UploadProgress{UploadID: "r-3", FileName: "Export", Progress: 71, Message: "Writing", Status: message.StatusStalled, ExpectEvery: 60, CurrentRow: 1, TotalRows: 2}),
	jobFrame(-4, message.UploadProgress{UploadID: "r-4", FileName: "Statement", Message: "Accepted", Status: message.StatusQueued}),
	jobFrame(-5, message.UploadProgress{UploadID: "r-5", FileName: "Video", Progress: 48, Message: "Rendering", Attempt: 2, Steps: message.NewSteps(
		message.Step{Name: "Fetch", Status: message.StepSucceeded, At: message.Time{Time: noon.Add(-5 * time.Minute)}},
		message.Step{Name: "T", Title: "Transcribe\x1b", Status: message.StepFailed, At: message.Time{Time: noon.Add(-4 * time.Minute)}},
		message.Step{Name: "Render", At: message.Time{Time: noon.Add(-3 * time.Minute)}},
		message.Step{Name: "Untimed", Status: "pondering"},
	)}),
	jobFrame(-60, message.UploadProgress{UploadID: "e-1", FileName: "Invoices", Progress: 100, Message: "412 invoices", Status: message.StatusSucceeded, Result: "results/dTE/e-1/invoices.zip"}),
	jobFrame(-61, message.UploadProgress{UploadID: "e-2", FileName: "Links", Progress: 80, Message: "3 are dead", Status: message.StatusFailed, Result: "https://example.com/7"}),
}

func TestScreenShowsTheStatusOfAnyJob(t *testing.T) {
	s := newScreen(90, 20, false, update{conn: connection{state: live}, jobs: anyJobs}).after(0)
	want := `
Sales report                 ████████████████████████████████▍░░░░░░░░░░░░░░░░░░░░░   60 %
  Waiting · Ada must approve

Training                     ██████████████████▉░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   35 %
  Retrying, attempt 2 of 3 · Disk is full

Export                       ██████████████████████████████████████▎░░░░░░░░░░░░░░░   71 %
  Stalled: no news for 3 min 0 s · Writing · 1 of 2 rows

Statement                    ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░    0 %
  Waiting to start · Accepted

Video                        █████████████████████████▉░░░░░░░░░░░░░░░░░░░░░░░░░░░░   48 %
  Rendering · attempt 2

✓ Invoices                  100 %  412 invoices · invoices.zip                       11:00
! Links                      80 %  3 are dead · https://example.com/7                10:59


● live · 5 running · 2 ended · s shows steps · q quits`
	if diff := cmp.Diff(want[1:], s.View()); diff != "" {
		t.Errorf("screen (-want +got):\n%s", diff)
	}
	s.after(time.Minute)
	for _, line := range []string{"  Waiting · Ada must approve", "  Stalled: no news for 4 min 0 s · Writing · 1 of 2 rows", "  Rendering · no news for 1 min 0 s · attempt 2"} {
		words, view := strings.Split(strings.TrimSpace(line), " · "), s.View()
		for _, word := range words {
			if !strings.Contains(view, word) {
				t.Errorf("a minute later %q is missing:\n%s", word, view)
			}
		}
	}
	if n := strings.Count(s.View(), " · no news for"); n != 2 { // of the jobs that run or are retried
		t.Errorf("%d jobs are silent:\n%s", n, s.View())
	}
}

func TestScreenListsTheStepsOfRunningJobs(t *testing.T) {
	s := newScreen(70, 9, false, update{conn: connection{state: live}, jobs: anyJobs[4:]}).after(0).press("s")
	want := `
Video                  ███████████████████▏░░░░░░░░░░░░░░░░░░░░   48 %
  Rendering · attempt 2
  ✓ 11:55:00  Fetch
  ! 11:56:00  Transcribe�
  ● 11:57:00  Render
  ●           Untimed

✓ Invoices            100 %  412 invoices · invoices.zip         11:00
● live · 1 running · 2 ended · ↑↓ 1 more · s hides steps · q quits`
	if diff := cmp.Diff(want[1:], s.View()); diff != "" {
		t.Errorf("screen (-want +got):\n%s", diff)
	}
	s.press("down")
	if got := s.View(); !strings.HasPrefix(got, "  Rendering") || !strings.Contains(got, "! Links") {
		t.Errorf("one line down it shows\n%s", got)
	}
	s.press("s")
	if got := s.View(); strings.Contains(got, "Fetch") || !strings.HasPrefix(got, "Video") {
		t.Errorf("without steps it shows\n%s", got)
	}
	narrow := newScreen(24, 12, true, update{conn: connection{state: live}, jobs: anyJobs[4:5]}).after(0).press("s")
	for line := range strings.Lines(narrow.View()) {
		if width := ansi.StringWidth(strings.TrimSuffix(line, "\n")); width > 24 {
			t.Errorf("%q has %d columns", line, width)
		}
	}
	if got := narrow.View(); !strings.Contains(got, "! 11:56:00  Transcribe?\n* 11:57:00  Render\n") {
		t.Errorf("in ASCII it shows\n%s", got)
	}
}
