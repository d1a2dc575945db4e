package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/herald-progress/herald/cdkapp/local/format"
)

const (
	// maxToken is the largest size of a token, in bytes. Sources read one byte more, to see that a token is too large.
	maxToken = 16 << 10
	// requestTimeout bounds the request to a twin.
	requestTimeout = 5 * time.Second
	// killDelay is how long the output of a command is still read after the command has ended. A process that the command has started
	// may hold the output open.
	killDelay = time.Second
)

// Tokens is where a user's tokens come from.
type Tokens struct {
	// Get returns the current token. Its errors are for the user, and contain no token.
	Get func(ctx context.Context) (string, error)
	// Renewable is true if a later call of Get may return another token.
	Renewable bool
}

// TokenText returns the source of a token that stays the same, such as the value of an environment variable. Errors contain name
// instead of the token.
func TokenText(name, token string) Tokens {
	return Tokens{Get: func(context.Context) (string, error) { return checkToken(name, token) }}
}

// TokenFile returns the source of the tokens in a file, which another program may replace.
func TokenFile(path string) Tokens {
	return Tokens{Renewable: true, Get: func(context.Context) (string, error) {
		file, err := os.Open(path)
		if err != nil {
			return "", &sourceError{"the token cannot be read: " + format.SafeText(err.Error())}
		}
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, maxToken+1))
		if err != nil {
			return "", &sourceError{"the token cannot be read: " + format.SafeText(err.Error())}
		}
		return checkToken("the file "+format.SafeText(path), string(text))
	}}
}

// TokenCommand returns the source of the tokens that a command prints. The shell runs the command for each connection. The standard
// error of the command is not shown, because it may contain a secret.
func TokenCommand(command string) Tokens {
	return Tokens{Renewable: true, Get: func(ctx context.Context) (string, error) {
		var out limitedBuffer
		cmd := exec.CommandContext(ctx, "sh", "-c", command)
		cmd.Stdout, cmd.WaitDelay = &out, killDelay
		err := cmd.Run()
		var exit *exec.ExitError
		switch {
		case ctx.Err() != nil:
			return "", &sourceError{"the command for the token took too long"}
		case errors.As(err, &exit):
			return "", &sourceError{"the command for the token failed (" + exit.String() + ")"}
		case err != nil:
			return "", &sourceError{"the command for the token could not be run"}
		}
		return checkToken("the output of the command", out.String())
	}}
}

// limitedBuffer stores the first maxToken+1 bytes and drops the rest.
type limitedBuffer struct{ bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	_, _ = b.Buffer.Write(p[:min(len(p), maxToken+1-b.Len())])
	return len(p), nil
}

// checkToken returns text without the white space around it, if it can be a token. A token is sent as a WebSocket subprotocol, which
// allows only some characters (https://www.rfc-editor.org/rfc/rfc9110#name-tokens). name is the source of text, for errors.
func checkToken(name, text string) (string, error) {
	token := strings.TrimSpace(text)
	switch {
	case token == "":
		return "", &sourceError{name + " has no token: it is empty"}
	case len(token) > maxToken:
		return "", &sourceError{name + " has no token: it has over " + strconv.Itoa(maxToken) + " bytes"}
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }):
		return "", &sourceError{name + " has no token: it has a character that tokens cannot have"}
	default:
		return token, nil
	}
}

// TokenTwin returns the source of the tokens of a twin's user. The endpoint is the URL at which the twin makes tokens.
func TokenTwin(endpoint, user string) Tokens {
	client := &http.Client{Timeout: requestTimeout, Transport: &http.Transport{DisableKeepAlives: true}} // without the proxy of the environment
	host := strings.TrimPrefix(endpoint, "http://")
	host, _, _ = strings.Cut(host, "/")
	return Tokens{Renewable: true, Get: func(ctx context.Context) (string, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"?user="+url.QueryEscape(user), nil)
		if err != nil {
			return "", &sourceError{"the URL of the twin is not valid"}
		}
		answer, err := client.Do(r)
		if err != nil {
			// For io.EOF, networkWords returns its text for errors that it does not know, which would say too little here.
			if reason := networkWords(err, host); reason != networkWords(io.EOF, host) {
				return "", &sourceError{reason + "; go run ./cdkapp/local starts a twin"}
			}
			return "", &sourceError{"the twin at " + host + " does not answer"}
		}
		defer answer.Body.Close()
		if answer.StatusCode == http.StatusNotFound {
			return "", &sourceError{"the twin at " + host + " has no user " + format.SafeText(user) + "; its flag -user adds one"}
		}
		var body struct {
			Token string `json:"token"`
		}
		if err := json.NewDecoder(io.LimitReader(answer.Body, 2*maxToken)).Decode(&body); err != nil || answer.StatusCode != http.StatusOK {
			return "", &sourceError{"what answers at " + host + " is no twin of Herald"}
		}
		return checkToken("the answer of the twin", body.Token)
	}}
}
