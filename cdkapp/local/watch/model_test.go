package watch

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/message"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)

// reports is a source that returns one update after the other. After the last one, its updates have only the state of the connection in
// the last one.
type reports []update

func (r *reports) next() update {
	if len(*r) == 0 {
		return update{conn: connection{state: live}}
	}
	first := (*r)[0]
	if *r = (*r)[1:]; len(*r) == 0 {
		*r = reports{{conn: first.conn}}
	}
	return first
}

// stateFrame returns the frame of a job that began the given number of minutes after noon.
func stateFrame(minute int, p message.UploadProgress) message.Envelope {
	at := noon.Add(time.Duration(minute) * time.Minute)
	return message.Envelope{
		Type: message.TypeUploadProgress, Timestamp: message.Time{Time: at}, Job: p.UploadID,
		Epoch: at.UTC().Format("2006-01-02T15:04:05.000Z") + "#0000", Seq: 1, Data: p,
	}
}

// running returns the frame of a running job.
func running(minute int, id, name string) message.Envelope {
	return stateFrame(minute, message.UploadProgress{
		UploadID: id, FileName: name, Progress: 64.9, Message: "Importing 6000000 rows", Phase: "parse", CurrentRow: 3402118, TotalRows: 6000000,
		RowsPerSecond: 2_140_000, ETAMillis: 1200, FailedRows: 87,
	})
}

// ended returns the frame of a job with a terminal status.
func ended(minute int, id string, status message.Status, progress float64, text string) message.Envelope {
	return stateFrame(minute, message.UploadProgress{UploadID: id, FileName: id + ".csv", Progress: progress, Message: text, Status: status})
}

func noteFrame(id string, data message.Data) message.Envelope {
	return message.Envelope{Type: data.Type(), ID: id, Timestamp: message.Time{Time: noon}, Data: data}
}

// screen is a model and the time that it takes for the current time.
type screen struct {
	*model

	at time.Time
}

// newScreen returns a screen of a size at noon. Each tick, which after simulates, takes one of the updates.
func newScreen(width, height int, ascii bool, updates ...update) *screen {
	s := &screen{at: noon}
	source := reports(updates)
	s.model = newModel(&source, newStyle(io.Discard, []string{"TERM=xterm-256color", "NO_COLOR=1"}, ascii), func() time.Time { return s.at })
	s.Update(tea.WindowSizeMsg{Width: width, Height: height})
	return s
}

// after lets the time d pass, tick by tick, and then ticks once more.
func (s *screen) after(d time.Duration) *screen {
	for end := s.at.Add(d); s.at.Before(end); s.at = s.at.Add(tickInterval) {
		s.Update(tick{})
	}
	s.Update(tick{})
	return s
}

// press presses keys, by the names that bubbletea gives them.
func (s *screen) press(keys ...string) *screen {
	for _, key := range keys {
		msg := tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(key)}
		for kind := range 128 {
			if k := tea.KeyType(kind - 64); k.String() == key { // Bubbletea numbers control keys from 0 up, other special keys below 0.
				msg = tea.KeyMsg{Type: k}
			}
		}
		s.Update(msg)
	}
	return s
}

// threeJobs are two running jobs, and one ended job of each terminal status.
var threeJobs = []message.Envelope{
	running(0, "u-1", "castle-2026-parts.csv"),
	stateFrame(-1, message.UploadProgress{UploadID: "u-2", FileName: "thumbnails", Progress: 5, Message: "Making thumbnails"}),
	ended(-60, "parts-list", message.StatusSucceeded, 100, "Imported 9800 of 10000 rows, 200 rejected"),
	ended(-64, "unclosed-quote", message.StatusFailed, 0, "Line 4: a quote is opened and never closed"),
	ended(-81, "old-inventory", message.StatusCancelled, 31, "Cancelled"),
}

func TestScreen(t *testing.T) {
	isLive := connection{state: live}
	for name, test := range map[string]struct {
		screen *screen
		want   string
	}{
		"before the first sync": {newScreen(40, 3, false, update{}).after(0), `


◌ connecting · q quits`},
		"no jobs": {newScreen(60, 3, false, update{conn: isLive}).after(0), `
No jobs yet. They appear here when they start.

● live · q quits`},
		"wide": {newScreen(100, 12, false, update{conn: isLive, jobs: threeJobs}).after(0), `
castle-2026-parts.csv           ███████████████████████████████████████▌░░░░░░░░░░░░░░░░░░░░░   64 %
  parse · 3,402,118 of 6,000,000 rows · 2.1 M rows/s · 2 s left · 87 rejected

thumbnails                      ███░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░    5 %
  Making thumbnails

✓ parts-list.csv               100 %  Imported 9800 of 10000 rows, 200 rejected                11:00
! unclosed-quote.csv             0 %  Line 4: a quote is opened and never closed               10:56
× old-inventory.csv             31 %  Cancelled                                                10:39


● live · 2 running · 3 ended · q quits`},
		"80 columns": {newScreen(80, 10, false, update{conn: isLive, jobs: threeJobs}).after(0), `
castle-2026-parts.csv     ██████████████████████████████▌░░░░░░░░░░░░░░░░   64 %
  parse · 3,402,118 of 6,000,000 rows · 2.1 M rows/s · 2 s left · 87 rejected

thumbnails                ██▎░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░    5 %
  Making thumbnails

✓ parts-list.csv         100 %  Imported 9800 of 10000 rows, 200 rejected  11:00
! unclosed-quote.csv       0 %  Line 4: a quote is opened and never clos…  10:56
× old-inventory.csv       31 %  Cancelled                                  10:39
● live · 2 running · 3 ended · q quits`},
		"40 columns": {newScreen(40, 12, false, update{conn: isLive, jobs: threeJobs}).after(0), `
castle-2026-parts.csv               64 %
█████████████████████████▉░░░░░░░░░░░░░░
parse · 2 s left · 87 rejected

thumbnails                           5 %
██░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░
Making thumbnails

✓ parts-list.csv  Imported 9800 of 1000…
! unclosed-….csv  Line 4: a quote is op…
× old-inven….csv  Cancelled
● live · 2 running · 3 ended · q quits`},
		"ASCII": {newScreen(72, 10, true, update{conn: isLive, jobs: append([]message.Envelope{running(1, "u-3", "Größe 分解図.csv")}, threeJobs[2:]...)}).after(0), `
Gr??e ???.csv          [#########################---------------]   64 %
  parse, 3,402,118 of 6,000,000 rows, 2 s left, 87 rejected

+ parts-list.csv      100 %  Imported 9800 of 10000 rows, 200 re~  11:00
! unclosed-quote.csv    0 %  Line 4: a quote is opened and never~  10:56
x old-inventory.csv    31 %  Cancelled                             10:39



* live, 1 running, 3 ended, q quits`},
		"offline": {newScreen(70, 4, false,
			update{conn: isLive, jobs: threeJobs[2:3]},
			update{conn: connection{offline, "nobody answers at 127.0.0.1:4510", noon.Add(3 * time.Second)}},
		).after(200 * time.Millisecond), `
✓ parts-list.csv      100 %  Imported 9800 of 10000 rows, 200 …  11:00


○ offline, again in 3 s: nobody answers at 127.0.0.1:4510 · 1 ended`},
		"offline in 40 columns": {newScreen(40, 2, false,
			update{conn: connection{offline, "nobody answers at 127.0.0.1:4510", noon.Add(3 * time.Second)}},
		).after(0), `

○ offline, again in 3 s: nobody answers…`},
		"trying again": {newScreen(70, 2, false,
			update{conn: connection{offline, "the connection was lost", noon.Add(3 * time.Second)}},
		).after(3 * time.Second), `

○ offline, trying again: the connection was lost · q quits`},
		"catching up": {newScreen(60, 2, false, update{conn: connection{state: catchingUp}}).after(0), `

◐ catching up · q quits`},
		"refused": {newScreen(80, 2, false,
			update{conn: connection{refused, "api.example.com does not accept the token", noon.Add(time.Minute)}},
		).after(0), `

× refused, again in 1 min 0 s: api.example.com does not accept the token`},
		"a silent job": {newScreen(80, 4, false, update{conn: isLive, jobs: threeJobs[:1]}).after(45 * time.Second), `
castle-2026-parts.csv     ██████████████████████████████▌░░░░░░░░░░░░░░░░   64 %
  parse · 3,402,118 of 6,000,000 rows · no news for 45 s · 87 rejected

● live · 1 running · q quits`},
		"foreign and hostile names": {newScreen(66, 10, false, update{conn: isLive, jobs: []message.Envelope{
			running(3, "u-1", "分解図と部品の一覧表.csv"),
			running(2, "u-2", "a\x1b[2J\x1b]0;owned\x07\u009b31m\u202egnp.csv\nnext line"),
			stateFrame(1, message.UploadProgress{UploadID: "u-3", FileName: "x", Progress: 1, Message: "\x1b[31mred\nnext", Phase: ""}),
		}}).after(0), `
分解図と部品…表.csv  ████████████████████████▋░░░░░░░░░░░░░   64 %
  parse · 3,402,118 of 6,000,000 rows · 2 s left · 87 rejected

a�[2J�]0;own…t line  ████████████████████████▋░░░░░░░░░░░░░   64 %
  parse · 3,402,118 of 6,000,000 rows · 2 s left · 87 rejected

x                    ▍░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░    1 %
  �[31mred next

● live · 3 running · q quits`},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.screen.View()
			var trimmed strings.Builder
			for line := range strings.Lines(got + "\n") {
				if width := ansi.StringWidth(strings.TrimSuffix(line, "\n")); width > test.screen.width {
					t.Errorf("%d cells in %d columns: %s", width, test.screen.width, line)
				}
				trimmed.WriteString(strings.TrimRight(line, " \n") + "\n")
			}
			if lines := strings.Count(got, "\n") + 1; lines != test.screen.height {
				t.Errorf("%d lines on a screen of %d", lines, test.screen.height)
			}
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n")+"\n", trimmed.String()); diff != "" {
				t.Errorf("screen (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNotesComeAndGo(t *testing.T) {
	warning := noteFrame("01A", message.Notification{Title: "Imported", Message: "200 rejected", Severity: message.SeverityWarning})
	failure := noteFrame("01B", message.Error{Code: "X", Message: "It\x1b failed"})
	live := connection{state: live}
	s := newScreen(60, 8, false, update{conn: live, notes: []message.Envelope{warning, failure}})
	if got := s.after(0).View(); !strings.Contains(got, "warning: Imported. 200 rejected") || !strings.Contains(got, "error: It� failed") {
		t.Errorf("the notes are not shown:\n%s", got)
	}
	if got := s.after(noteLife - tickInterval).View(); !strings.Contains(got, "error: ") {
		t.Errorf("the notes went too early:\n%s", got)
	}
	if got := s.after(2 * tickInterval).View(); strings.Contains(got, "error: ") || strings.Contains(got, "warning: ") {
		t.Errorf("the notes stay:\n%s", got)
	}

	many := update{conn: live}
	for n := range 5 {
		many.notes = append(many.notes, noteFrame(fmt.Sprint(n), message.Error{Message: fmt.Sprintf("number %d", n)}))
	}
	s = newScreen(60, 8, false, many, update{conn: live, dismissed: []string{"3", ""}})
	if got := s.after(0).View(); strings.Contains(got, "number 1") || !strings.Contains(got, "number 2") || !strings.Contains(got, "number 4") {
		t.Errorf("not the newest three are shown:\n%s", got)
	}
	if got := s.after(0).View(); strings.Contains(got, "number 3") || !strings.Contains(got, "number 4") {
		t.Errorf("a dismissed note stays:\n%s", got)
	}
}

func TestManyJobsScroll(t *testing.T) {
	var frames []message.Envelope
	for n := range 10 {
		frames = append(frames, running(-n, fmt.Sprint(n), fmt.Sprintf("running-%d", n)))
	}
	for n := range 10_000 {
		frames = append(frames, ended(-100-n, fmt.Sprint("e", n), message.StatusSucceeded, 100, "Done"))
	}
	s := newScreen(80, 8, false, update{conn: connection{state: live}, jobs: frames}).after(0)
	for _, step := range []struct {
		keys     []string
		top      int
		contains string
	}{
		{nil, 0, "10 running · 10,000 ended · ↑↓ 10,023 more"},
		{[]string{"up", "pgup"}, 0, "running-0"},
		{[]string{"down", "j"}, 2, "running-2"},
		{[]string{"pgdown", " "}, 14, "↑↓ 14 above, 10,009 below"},
		{[]string{"b"}, 8, "running-3"},
		{[]string{"end", "down"}, 10_023, "e9999.csv"},
		{[]string{"k"}, 10_022, "↑↓ 10,022 above, 1 below"},
		{[]string{"G"}, 10_023, "↑↓ 10,023 above"},
		{[]string{"home"}, 0, "running-0"},
	} {
		if got := s.press(step.keys...).View(); s.top != step.top || !strings.Contains(got, step.contains) || strings.Count(got, "\n") != 7 {
			t.Errorf("%v: line %d is first, want %d, and %q in\n%s", step.keys, s.top, step.top, step.contains, got)
		}
	}
	s.press("G").Update(tea.WindowSizeMsg{Width: 40, Height: 20})
	if got := s.View(); !strings.Contains(got, "e9999.csv") || strings.Count(got, "\n") != 19 {
		t.Errorf("after a resize:\n%s", got)
	}
}

// TestEverySizeFits draws each size: no line is too wide, and there are as many lines as the screen has.
func TestEverySizeFits(t *testing.T) {
	for width := 1; width < 130; width++ {
		for _, height := range []int{1, 2, 3, 4, 5, 6, 9, 30} {
			for _, ascii := range []bool{false, true} {
				s := newScreen(width, height, ascii, update{
					conn:  connection{offline, "nobody answers", noon.Add(time.Hour)},
					jobs:  append([]message.Envelope{running(1, "u-3", "分解図と部品の一覧表.csv")}, threeJobs...),
					notes: []message.Envelope{noteFrame("1", message.Error{Message: strings.Repeat("long ", 50)})},
				}).after(0).press("j")
				lines := strings.Split(s.View(), "\n")
				if len(lines) != height {
					t.Errorf("%d×%d: %d lines", width, height, len(lines))
				}
				for _, line := range lines {
					if ansi.StringWidth(line) > width {
						t.Errorf("%d×%d: %d cells: %s", width, height, ansi.StringWidth(line), line)
					}
				}
			}
		}
	}
}

func TestKeysThatEnd(t *testing.T) {
	s := newScreen(80, 8, false)
	if _, cmd := s.Update(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("q")}); cmd == nil || cmd() != tea.Quit() || s.interrupted {
		t.Error("q does not quit")
	}
	if _, cmd := s.Update(tea.KeyMsg{Type: tea.KeyCtrlC}); cmd == nil || cmd() != tea.Quit() || !s.interrupted {
		t.Error("Ctrl-C does not interrupt")
	}
	failure := errors.New("refused for good")
	s = newScreen(80, 8, false, update{ended: true, err: failure})
	if _, cmd := s.Update(tick{}); cmd == nil || cmd() != tea.Quit() || s.ended != failure {
		t.Errorf("the end of the client does not end the screen: %v", s.ended)
	}
}
