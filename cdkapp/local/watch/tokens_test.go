package watch

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const secret = "eyJ.secret.sig"

func TestTokensComeFromWhereTheUserSays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) string {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	twin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.RequestURI() {
		case "POST /token?user=de+v":
			w.Write([]byte(`{"token":"` + secret + `"}`))
		case "POST /token?user=json":
			w.Write([]byte(secret))
		default:
			http.NotFound(w, r)
		}
	}))
	defer twin.Close()
	host := strings.TrimPrefix(twin.URL, "http://")
	closed := httptest.NewServer(nil) // a server at whose address nobody answers
	closed.Close()
	for name, test := range map[string]struct {
		tokens func() Tokens
		want   string
	}{
		"variable":              {func() Tokens { return TokenText("HERALD_TOKEN", " "+secret+"\n") }, secret},
		"empty variable":        {func() Tokens { return TokenText("HERALD_TOKEN", " ") }, "HERALD_TOKEN has no token: it is empty"},
		"bad variable":          {func() Tokens { return TokenText("HERALD_TOKEN", secret+","+secret) }, "HERALD_TOKEN has no token: it has a character that tokens cannot have"},
		"file":                  {func() Tokens { return TokenFile(write(secret + "\n")) }, secret},
		"two lines":             {func() Tokens { return TokenFile(write(secret + "\n" + secret)) }, "the file " + file + " has no token: it has a character that tokens cannot have"},
		"long file":             {func() Tokens { return TokenFile(write(strings.Repeat("a", maxToken+1))) }, "the file " + file + " has no token: it has over 16384 bytes"},
		"longest file":          {func() Tokens { return TokenFile(write(strings.Repeat("a", maxToken))) }, strings.Repeat("a", maxToken)},
		"no file":               {func() Tokens { return TokenFile("/no/such\x1b") }, "the token cannot be read: open /no/such�: no such file or directory"},
		"command":               {func() Tokens { return TokenCommand("echo " + secret) }, secret},
		"command that fails":    {func() Tokens { return TokenCommand("echo " + secret + " >&2; exit 3") }, "the command for the token failed (exit status 3)"},
		"command of much text":  {func() Tokens { return TokenCommand("yes | head -c 1000000") }, "the output of the command has no token: it has over 16384 bytes"},
		"twin":                  {func() Tokens { return TokenTwin(twin.URL+"/token", "de v") }, secret},
		"twin without the user": {func() Tokens { return TokenTwin(twin.URL+"/token", "other") }, "the twin at " + host + " has no user other; its flag -user adds one"},
		"no twin":               {func() Tokens { return TokenTwin(twin.URL+"/token", "json") }, "what answers at " + host + " is no twin of Herald"},
		"nobody": {
			func() Tokens { return TokenTwin(closed.URL+"/token", "dev") },
			"nobody answers at " + strings.TrimPrefix(closed.URL, "http://") + "; go run ./cdkapp/local starts a twin",
		},
	} {
		token, err := test.tokens().Get(t.Context())
		if err != nil {
			token = err.Error()
			if strings.Contains(token, secret) {
				t.Errorf("%s: the error has the token", name)
			}
			if words(err, "host") != token {
				t.Errorf("%s: the words are %s", name, words(err, "host"))
			}
		}
		if token != test.want {
			t.Errorf("%s: got %.300q, want %.300q", name, token, test.want)
		}
	}
}

func TestACommandForATokenEndsWithItsTime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := TokenCommand("sleep 60").Get(ctx)
	if err == nil || err.Error() != "the command for the token took too long" {
		t.Errorf("the command returned %v, want that it took too long", err)
	}
}

func TestReasonsAreWords(t *testing.T) {
	if got := words(errors.New("receive: "+secret), "example.com"); got != "the connection was lost" {
		t.Errorf("a failed receive is shown as %q", got)
	}
	for status, want := range map[int]string{
		429: "example.com has too many requests",
		503: "example.com has a failure (503)",
		404: "example.com does not speak Herald's protocol at this path (404)",
	} {
		if got := refusedWords(status, "example.com"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := words(context.DeadlineExceeded, "example.com"); got != "example.com does not answer" {
		t.Errorf("a timeout is shown as %q", got)
	}
}
