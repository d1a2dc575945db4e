package message_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/herald-progress/herald/lib/message"
)

func TestValidIDAcceptsPrintableUTF8UpToItsLimit(t *testing.T) {
	for id, want := range map[string]bool{
		"u": true, "auth0|5f/7": true, "übung €€ \u2028": true, strings.Repeat("x", 255): true,
		"": false, strings.Repeat("x", 256): false, "\xff": false, "\uFFFD": false, "a\nb": false, "\x00": false, "\x7f": false, "\u0085": false,
	} {
		if got := message.ValidID(id, message.MaxUserID); got != want {
			t.Errorf("ValidID(%q) is %v", id, got)
		}
	}
}

// TestNamesAreLimitedInBytesOfJSON: a limit in plain bytes would allow 450 control characters, whose 2,700 bytes of JSON are more
// than a state may have.
func TestNamesAreLimitedInBytesOfJSON(t *testing.T) {
	const asJSON = " bytes of JSON, where quotes, backslashes and control characters count for more"
	valid := message.UploadProgress{UploadID: "u", FileName: "f", Message: "m"}
	for _, tt := range []struct {
		name string
		edit func(p *message.UploadProgress)
		want string // empty is valid
	}{
		{"a plain name", func(p *message.UploadProgress) { p.FileName = strings.Repeat("x", 1024) }, ""},
		{"a name of characters of three bytes", func(p *message.UploadProgress) { p.FileName = strings.Repeat("€", 341) }, ""},
		{"a longer name", func(p *message.UploadProgress) { p.FileName = strings.Repeat("x", 1025) }, "data.fileName must be at most 1024 bytes"},
		{"a name of 170 control characters", func(p *message.UploadProgress) { p.FileName = strings.Repeat("\x01", 170) }, ""},
		{"a name of 171 control characters", func(p *message.UploadProgress) { p.FileName = strings.Repeat("\x01", 171) }, "data.fileName must be at most 1024" + asJSON},
		{"a name of 450 control characters", func(p *message.UploadProgress) { p.FileName = strings.Repeat("\x01", 450) }, "data.fileName must be at most 1024" + asJSON},
		{"a name of 512 quotes", func(p *message.UploadProgress) { p.FileName = strings.Repeat(`"`, 512) }, ""},
		{"a name of 513 quotes", func(p *message.UploadProgress) { p.FileName = strings.Repeat(`"`, 513) }, "data.fileName must be at most 1024" + asJSON},
		{"a phase", func(p *message.UploadProgress) { p.Phase = strings.Repeat("x", 256) }, ""},
		{"a longer phase", func(p *message.UploadProgress) { p.Phase = strings.Repeat("x", 257) }, "data.phase must be at most 256 bytes"},
		{"a phase of backslashes", func(p *message.UploadProgress) { p.Phase = strings.Repeat(`\`, 129) }, "data.phase must be at most 256" + asJSON},
		{"a phase of invalid UTF-8", func(p *message.UploadProgress) { p.Phase = "\xff" }, "data.phase must be valid UTF-8"},
		{"the maximum number of rows", func(p *message.UploadProgress) { p.TotalRows = 1 << 53 }, ""},
		{"one row more than the maximum", func(p *message.UploadProgress) { p.TotalRows = 1<<53 + 1 }, "data.totalRows must be at most 9007199254740992"},
		{"a job's id with a control character", func(p *message.UploadProgress) { p.UploadID = "a\nb" }, "data.uploadId must not hold control characters or U+FFFD"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := valid
			tt.edit(&data)
			err := data.Validate()
			var bad *message.Invalid
			if tt.want == "" && err != nil || tt.want != "" && (!errors.As(err, &bad) || bad.Error() != tt.want) {
				t.Errorf("Validate says %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTruncateCutsAtRunesWithinTheLimit(t *testing.T) {
	for _, tt := range []struct {
		text  string
		limit int
		want  string
	}{
		{"", 3, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "…"},
		{"abcdef", 5, "ab…"},
		{"€€€", 8, "€…"},
		{"a\nb", 4, "a\nb"},
		{"\x01\x01\x01", 12, "\x01…"},
		{"a\xffb", 5, "a\uFFFDb"},
	} {
		if got := message.Truncate(tt.text, tt.limit); got != tt.want {
			t.Errorf("Truncate(%q, %d) is %q, want %q", tt.text, tt.limit, got, tt.want)
		}
	}
}

// FuzzTruncate checks that the result is valid UTF-8 within the limit, and that it is the beginning of the text, with or without
// an ellipsis.
func FuzzTruncate(f *testing.F) {
	f.Add("Parsing \"row\" 17\n", uint(12))
	f.Add("\xff\u2028\U0001F600\x00", uint(9))
	f.Fuzz(func(t *testing.T, text string, limit uint) {
		limit = uint(len("…")) + limit%2000
		got := message.Truncate(text, int(limit))
		b := &strings.Builder{}
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(got); err != nil {
			t.Fatal(err)
		}
		if size := b.Len() - len("\"\"\n"); size > int(limit) || !utf8.ValidString(got) {
			t.Errorf("%q is %d bytes of JSON, over %d", got, size, limit)
		}
		if beginning := strings.TrimSuffix(got, "…"); !strings.HasPrefix(strings.ToValidUTF8(text, "\uFFFD"), beginning) {
			t.Errorf("%q became %q", text, got)
		}
	})
}
