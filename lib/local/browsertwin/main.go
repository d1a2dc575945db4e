// Command browsertwin runs Herald's local twin for the tests in browsers. In addition to what the twin serves, it makes tokens of any
// user and life, and returns what the feed has. It prints its URLs as one line of JSON, and runs until its standard input ends.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/feed"
	"github.com/herald-progress/herald/lib/local"
)

const (
	kilobyte      = 1000
	headerTimeout = 10 * time.Second
	maxNotes      = 10_000 // the most that one answer contains
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "browsertwin:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	rate := flag.Int("rate", 0, "read uploads at `n` KB a second")
	users := flag.String("users", "dev,ada", "the `ids` of the page's users")
	flag.Parse()

	stored := &feed.Memory{}
	twin, err := local.Start(ctx, local.Config{
		Feed: stored, BytesPerSecond: *rate * kilobyte, Users: strings.Split(*users, ","),
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	control, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err //nolint:wrapcheck // the error says what failed
	}
	server := &http.Server{Handler: routes(twin, stored), ReadHeaderTimeout: headerTimeout}
	go func() { _ = server.Serve(control) }()

	err = json.NewEncoder(os.Stdout).Encode(map[string]string{
		"pageUrl": twin.PageURL(), "webSocketUrl": twin.WebSocketURL(), "endpoint": twin.Endpoint(), "controlUrl": "http://" + control.Addr().String(),
	})
	if err == nil {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the tests end, however they end
	}
	_ = server.Close()
	if closeErr := twin.Close(ctx); err == nil {
		err = closeErr
	}

	return err
}

// routes returns the handler of the tests' requests: for tokens and for what the feed has of a user.
func routes(twin *local.Twin, stored feed.Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /token", func(w http.ResponseWriter, r *http.Request) {
		life, err := time.ParseDuration(r.URL.Query().Get("life"))
		token := ""
		if err == nil {
			token, err = twin.Token(r.URL.Query().Get("user"), life)
		}
		answer(w, token, err)
	})
	mux.HandleFunc("GET /feed", func(w http.ResponseWriter, r *http.Request) {
		contents, err := read(r.Context(), stored, r.URL.Query().Get("user"))
		answer(w, contents, err)
	})

	return mux
}

// job is what the feed has of a job.
type job struct {
	Epoch    string  `json:"epoch"`
	Seq      int64   `json:"seq"`
	Status   string  `json:"status"`
	Progress float64 `json:"progress"`
	Message  string  `json:"message"`
}

// contents are the jobs of a user by id, and the ids of the notes, oldest first.
type contents struct {
	Jobs  map[string]job `json:"jobs"`
	Notes []string       `json:"notes"`
}

func read(ctx context.Context, stored feed.Store, user string) (contents, error) {
	found := contents{Jobs: map[string]job{}, Notes: []string{}}
	for row, err := range stored.Jobs(ctx, feed.User(user)) {
		if err != nil {
			return found, err
		}
		state := row.VisibleState()
		found.Jobs[state.UploadID] = job{Epoch: row.Epoch, Seq: row.Seq, Status: string(state.Status), Progress: state.Progress, Message: state.Message}
	}
	notes, err := stored.Notes(ctx, feed.User(user), "", maxNotes)
	for _, note := range notes {
		found.Notes = append(found.Notes, note.ID)
	}

	return found, err
}

func answer(w http.ResponseWriter, value any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		slog.Error("answer", "err", err)
	}
}
