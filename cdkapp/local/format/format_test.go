package format

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/herald-progress/herald/lib/message"
)

func TestNumbersReadWell(t *testing.T) {
	rate := func(r float64) string { return Rate(message.UploadProgress{RowsPerSecond: r}) }
	left := func(ms int64) string { return Left(message.UploadProgress{ETAMillis: ms, RowsPerSecond: 1}) }
	for _, c := range []struct{ got, want string }{
		{Percent(-1), "0 %"},
		{Percent(math.NaN()), "0 %"},
		{Percent(99.99), "99 %"},
		{Percent(100), "100 %"},
		{Percent(math.Inf(1)), "100 %"},
		{Count(0), "0"},
		{Count(999), "999"},
		{Count(1000), "1,000"},
		{Count(1 << 53), "9,007,199,254,740,992"},
		{Count(math.MinInt64), "-9,223,372,036,854,775,808"},
		{rate(0), ""},
		{rate(-1), ""},
		{rate(math.NaN()), ""},
		{rate(math.Inf(1)), ""},
		{rate(0.25), "0.2 rows/s"},
		{rate(1), "1 rows/s"},
		{rate(999.4), "999 rows/s"},
		{rate(999.6), "1.0 k rows/s"},
		{rate(2_140_000), "2.1 M rows/s"},
		{rate(18_300), "18 k rows/s"},
		{rate(1e300), "over 999 G rows/s"},
		{left(0), "0 s left"},
		{left(1), "1 s left"},
		{left(1000), "1 s left"},
		{left(59_001), "1 min 0 s left"},
		{left(125_000), "2 min 5 s left"},
		{left(3_599_000), "59 min left"},
		{left(3_600_000), "1 h 0 min left"},
		{left(-1), ""},
		{left(math.MaxInt64), "over 999 h left"},
		{Duration(-time.Second), "0 s"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestAnEndedJobHasNoRateAndNoTimeLeft(t *testing.T) {
	p := message.UploadProgress{
		Progress: 100, Message: "Imported", CurrentRow: 9, TotalRows: 10, RowsPerSecond: 5, ETAMillis: 5, FailedRows: 1,
		Status: message.StatusSucceeded,
	}
	if got := State(p); got != "100.0 %  Imported" {
		t.Errorf("the ended job is shown as %q", got)
	}
	p.Status, p.Progress = "", 90
	if got := State(p); got != " 90.0 %  Imported  (9 of 10 rows, 5 rows/s, 1 s left, 1 rejected)" {
		t.Errorf("the running job is shown as %q", got)
	}
}

func TestAStatusIsShownInPlainWords(t *testing.T) {
	for _, c := range []struct {
		p       message.UploadProgress
		silence time.Duration
		want    string
	}{
		{message.UploadProgress{Message: "Rendering", RowsPerSecond: 5}, 0, "  0.0 %  Rendering  (5 rows/s, 0 s left)"},
		{message.UploadProgress{Message: "Rendering", Status: message.StatusRunning, Attempt: 2, Of: 3}, 0, "  0.0 %  Rendering  (attempt 2 of 3)"},
		{message.UploadProgress{Message: "Rendering", Attempt: 1, Of: 3}, 0, "  0.0 %  Rendering"},
		{message.UploadProgress{Message: "Thinking", Status: "pondering"}, 0, "  0.0 %  Thinking"},
		{message.UploadProgress{Message: "Accepted", Status: message.StatusQueued}, 0, "  0.0 %  Waiting to start: Accepted"},
		{message.UploadProgress{Message: "Ada must approve", Status: message.StatusWaiting, RowsPerSecond: 5, ETAMillis: 5}, 0, "  0.0 %  Waiting: Ada must approve"},
		{message.UploadProgress{Message: "Disk is full", Status: message.StatusRetrying, Attempt: 2, Of: 3}, 0, "  0.0 %  Retrying, attempt 2 of 3: Disk is full"},
		{message.UploadProgress{Status: message.StatusRetrying, Attempt: 1200}, 0, "  0.0 %  Retrying, attempt 1,200"},
		{message.UploadProgress{Status: message.StatusRetrying}, 0, "  0.0 %  Retrying"},
		{message.UploadProgress{Message: "Rendering", Status: message.StatusStalled, ExpectEvery: 60}, 0, "  0.0 %  Stalled: no news for 1 min 0 s: Rendering"},
		{message.UploadProgress{Status: message.StatusStalled}, 0, "  0.0 %  Stalled"},
	} {
		if got := State(c.p); got != c.want {
			t.Errorf("%+v is %q, want %q", c.p, got, c.want)
		}
	}
	stalled := message.UploadProgress{Status: message.StatusStalled, ExpectEvery: 60}
	for silence, want := range map[time.Duration]string{-time.Hour: "1 min 0 s", 59 * time.Second: "1 min 0 s", 125*time.Second + 1: "2 min 5 s"} {
		if got := Status(stalled, silence); got != "Stalled: no news for "+want {
			t.Errorf("after %v it is %q, want %q", silence, got, want)
		}
	}
}

func TestNoCommandOfATerminalGetsThrough(t *testing.T) {
	for text, want := range map[string]string{
		"parts-list.csv":              "parts-list.csv",
		"Größe 分解図 🧱.csv":             "Größe 分解図 🧱.csv",
		"a\x1b[2Jb":                   "a�[2Jb",
		"a\x1b]0;title\x07b":          "a�]0;title�b",
		"a\u009b31mb\u0090q\u009c":    "a�31mb�q�",
		"a\nb\r\tc\u2028d\u00a0e\vf":  "a b  c d e f",
		"gnp.\u202efdp\u2066":         "gnp.�fdp�",
		"\xff\xfe":                    "��",
		"a\x00\x7f":                   "a��",
		"e\u0301":                     "e\u0301",
		"Z\u0301\u0301\u0301\u0301lg": "Z\u0301\u0301lg",
		"👩\u200d👩":                    "👩👩",
		"❤\ufe0f":                     "❤",
	} {
		if got := SafeText(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := ASCII("Größe ✓\x1b"); got != "Gr??e ??" {
		t.Errorf("in ASCII it is %q, want a ? for each other character", got)
	}
}

// FuzzSafeText checks that SafeText returns one line without control characters and without characters that change the direction of writing,
// and that ASCII returns only printable ASCII.
func FuzzSafeText(f *testing.F) {
	f.Add("a\x1b[31mb\u009b\u202e\n")
	f.Add("\u200d\ufe0f\u0301\xff")
	f.Fuzz(func(t *testing.T, text string) {
		if got := SafeText(text); strings.ContainsFunc(got, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
		}) {
			t.Errorf("%q becomes %q", text, got)
		}
		if got := ASCII(text); strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}

// FuzzSafeJSON checks that SafeJSON returns the same value without characters that must not reach a terminal.
func FuzzSafeJSON(f *testing.F) {
	f.Add("a\x1b[31mb\u009b\u202e\n\U000e0001")
	f.Add("Größe \"分解図\" 🧱 👩\u200d👩\ufe0f\u007f\\")
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "")
		raw, err := json.Marshal(map[string]string{text: text})
		if err != nil {
			t.Fatal(err)
		}
		safe := SafeJSON(raw)
		if strings.ContainsFunc(string(safe), func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("%q becomes %q", raw, safe)
		}
		var got map[string]string
		if err := json.Unmarshal(safe, &got); err != nil || got[text] != text {
			t.Errorf("%q becomes %q, which is %q, error %v", raw, safe, got, err)
		}
	})
}
